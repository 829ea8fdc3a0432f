output "address" {
  description = "What the host's address record must say."
  value       = local.gke ? google_compute_global_address.gke[0].address : google_compute_address.vm[0].address
}

output "images" {
  description = "AVATAR_IMAGES for cluster/images/build.sh."
  value       = "${var.region}-docker.pkg.dev/${var.project}/avatar"
}

output "models" {
  description = "Bucket for the models: gcloud storage rsync -r MODELS gs://..."
  value       = google_storage_bucket.models.name
}

output "version" {
  description = "Tag of the images that run, for the way back."
  value       = var.image_version
}
