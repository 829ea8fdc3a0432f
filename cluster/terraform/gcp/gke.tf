# The cluster, if `size = "gke"`: a small pool without GPUs for gateways and Ray's head, and L4s that come when booked.

resource "google_container_cluster" "avatar" {
  count                    = local.gke ? 1 : 0
  name                     = "avatar"
  location                 = var.zone
  network                  = google_compute_network.avatar.id
  subnetwork               = google_compute_subnetwork.avatar.id
  remove_default_node_pool = true
  initial_node_count       = 1
  deletion_protection      = var.protected
  datapath_provider        = "ADVANCED_DATAPATH" # else a NetworkPolicy is only words

  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }

  private_cluster_config {
    enable_private_nodes    = true
    enable_private_endpoint = false
    master_ipv4_cidr_block  = "172.16.0.0/28"
  }

  master_authorized_networks_config {
    dynamic "cidr_blocks" {
      for_each = var.administrators

      content {
        cidr_block = cidr_blocks.value
      }
    }
  }

  release_channel {
    channel = "REGULAR"
  }

  workload_identity_config {
    workload_pool = "${var.project}.svc.id.goog"
  }

  addons_config {
    gcp_filestore_csi_driver_config {
      enabled = true
    }
  }
}

resource "google_container_node_pool" "cpu" {
  count    = local.gke ? 1 : 0
  name     = "cpu"
  cluster  = google_container_cluster.avatar[0].id
  location = var.zone

  autoscaling {
    min_node_count = 1
    max_node_count = 4
  }

  node_config {
    machine_type    = "e2-standard-4"
    disk_size_gb    = 50
    service_account = google_service_account.node.email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
  }
}

resource "google_container_node_pool" "l4" {
  count    = local.gke ? 1 : 0
  name     = "l4"
  cluster  = google_container_cluster.avatar[0].id
  location = var.zone

  autoscaling {
    min_node_count = 0
    max_node_count = var.l4_nodes
  }

  node_config {
    machine_type    = "g2-standard-12"
    spot            = var.spot
    disk_size_gb    = 100
    disk_type       = "pd-ssd"
    image_type      = "COS_CONTAINERD"
    service_account = google_service_account.node.email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]

    guest_accelerator {
      type  = "nvidia-l4"
      count = 1

      gpu_driver_installation_config {
        gpu_driver_version = "LATEST"
      }

      # asr, tts and face are pods of their own and share the card.
      gpu_sharing_config {
        gpu_sharing_strategy       = "TIME_SHARING"
        max_shared_clients_per_gpu = 3
      }
    }

    taint {
      key    = "nvidia.com/gpu"
      value  = "present"
      effect = "NO_SCHEDULE"
    }
  }
}
