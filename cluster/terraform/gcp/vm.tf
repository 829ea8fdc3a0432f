# One machine, if `size = "vm"`: a g2 with an L4 and a disk of 100 GB, which starts the containers at each boot.

data "google_compute_image" "deep_learning" {
  family  = var.vm_image_family
  project = "deeplearning-platform-release"
}

resource "google_compute_instance" "avatar" {
  count                     = local.vm ? 1 : 0
  name                      = "avatar"
  zone                      = var.zone
  machine_type              = "g2-standard-8"
  allow_stopping_for_update = true
  deletion_protection       = var.protected
  tags                      = ["avatar"]

  boot_disk {
    initialize_params {
      image = data.google_compute_image.deep_learning.self_link
      size  = 100
      type  = "pd-balanced"
    }
  }

  network_interface {
    subnetwork = google_compute_subnetwork.avatar.id

    access_config {
      nat_ip = google_compute_address.vm[0].address
    }
  }

  scheduling {
    preemptible                 = var.spot
    automatic_restart           = !var.spot
    on_host_maintenance         = "TERMINATE"
    provisioning_model          = var.spot ? "SPOT" : "STANDARD"
    instance_termination_action = var.spot ? "STOP" : null
  }

  service_account {
    email  = google_service_account.node.email
    scopes = ["cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot = true
  }

  metadata = {
    enable-oslogin = "TRUE"
    startup-script = templatefile("${path.module}/start.sh.tftpl", {
      bucket  = google_storage_bucket.models.name
      host    = var.host
      images  = local.images
      profile = var.profile
      region  = var.region
      version = var.image_version
    })
  }

  lifecycle {
    precondition {
      condition     = var.host != ""
      error_message = "name the host, -var=host=avatar.example.org: browsers give a microphone only to a page with TLS."
    }
  }
}

resource "google_compute_firewall" "web" {
  count         = local.vm ? 1 : 0
  name          = "avatar-web"
  network       = google_compute_network.avatar.id
  source_ranges = ["0.0.0.0/0"]
  target_tags   = ["avatar"]

  allow {
    protocol = "tcp"
    ports    = ["80", "443"]
  }

  allow {
    protocol = "udp"
    ports    = ["443"]
  }
}

# To work on it: through Google's tunnel, with `gcloud compute ssh --tunnel-through-iap`.
resource "google_compute_firewall" "tunnel" {
  count         = local.vm ? 1 : 0
  name          = "avatar-tunnel"
  network       = google_compute_network.avatar.id
  source_ranges = ["35.235.240.0/20"]
  target_tags   = ["avatar"]

  allow {
    protocol = "tcp"
    ports    = ["22"]
  }
}
