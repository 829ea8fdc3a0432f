# Google Cloud, in three sizes. `size = "base"` is what every way needs first and costs next to nothing: registry, bucket,
# empty secrets, an account for machines; Cloud Run needs no more. `size = "vm"` adds a single g2 machine with one L4 and a 100 GB disk, which starts the
# containers of cluster/compose.yaml. `size = "gke"` adds a cluster whose L4 nodes come and go. Not applied anywhere yet.

terraform {
  required_version = ">= 1.6"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.0"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

locals {
  gke    = var.size == "gke"
  vm     = var.size == "vm"
  images = var.images != "" ? var.images : "${var.region}-docker.pkg.dev/${var.project}/avatar"
  apis = [
    "artifactregistry.googleapis.com",
    "billingbudgets.googleapis.com",
    "compute.googleapis.com",
    "container.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
  ]
}

resource "google_project_service" "api" {
  for_each           = toset(local.apis)
  service            = each.value
  disable_on_destroy = false
}

# ---- network ----------------------------------------------------------------------------------------------------

resource "google_compute_network" "avatar" {
  name                    = "avatar"
  auto_create_subnetworks = false
  depends_on              = [google_project_service.api]
}

resource "google_compute_subnetwork" "avatar" {
  name                     = "avatar"
  network                  = google_compute_network.avatar.id
  region                   = var.region
  ip_cidr_range            = "10.10.0.0/20"
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = "10.20.0.0/16"
  }

  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = "10.30.0.0/20"
  }
}

resource "google_compute_router" "avatar" {
  name    = "avatar"
  network = google_compute_network.avatar.id
  region  = var.region
}

resource "google_compute_router_nat" "avatar" {
  name                               = "avatar"
  router                             = google_compute_router.avatar.name
  region                             = var.region
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
}

resource "google_compute_address" "vm" {
  count  = local.vm ? 1 : 0
  name   = "avatar"
  region = var.region
}

resource "google_compute_global_address" "gke" {
  count = local.gke ? 1 : 0
  name  = "avatar"
}

# ---- models, images, secrets --------------------------------------------------------------------------------------

resource "google_storage_bucket" "models" {
  name                        = "${var.project}-avatar-models"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }
}

resource "google_artifact_registry_repository" "images" {
  repository_id = "avatar"
  location      = var.region
  format        = "DOCKER"
  depends_on    = [google_project_service.api]

  cleanup_policies {
    id     = "keep-ten"
    action = "KEEP"

    most_recent_versions {
      keep_count = 10
    }
  }
}

# Empty here: their versions are added by hand, so that no secret is ever in a state file.
resource "google_secret_manager_secret" "avatar" {
  for_each   = toset(["openai-api-key", "store-url", "keys-toml"])
  secret_id  = "avatar-${each.value}"
  depends_on = [google_project_service.api]

  replication {
    auto {}
  }
}

resource "google_service_account" "node" {
  account_id   = "avatar-node"
  display_name = "Realtime Avatar: machines"
}

resource "google_project_iam_member" "node" {
  for_each = toset([
    "roles/artifactregistry.reader",
    "roles/logging.logWriter",
    "roles/monitoring.metricWriter",
  ])
  project = var.project
  role    = each.value
  member  = "serviceAccount:${google_service_account.node.email}"
}

resource "google_storage_bucket_iam_member" "node" {
  bucket = google_storage_bucket.models.name
  role   = "roles/storage.objectUser"
  member = "serviceAccount:${google_service_account.node.email}"
}

resource "google_secret_manager_secret_iam_member" "node" {
  for_each  = google_secret_manager_secret.avatar
  secret_id = each.value.id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${google_service_account.node.email}"
}

# ---- what it may cost ---------------------------------------------------------------------------------------------

resource "google_billing_budget" "avatar" {
  count           = var.billing_account == "" ? 0 : 1
  billing_account = var.billing_account
  display_name    = "Realtime Avatar"

  budget_filter {
    projects = ["projects/${var.project}"]
  }

  amount {
    specified_amount {
      currency_code = var.budget_currency
      units         = tostring(var.budget)
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1.0]

    content {
      threshold_percent = threshold_rules.value
    }
  }
}
