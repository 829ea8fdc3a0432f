output "address" {
  description = "What the host's address record must say."
  value       = one(concat(google_compute_global_address.gke[*].address, google_compute_address.vm[*].address))
}

output "images" {
  description = "AVATAR_IMAGES for cluster/images/build.sh."
  value       = local.images
}

output "models" {
  description = "Bucket for the models: gcloud storage rsync -r MODELS gs://..."
  value       = google_storage_bucket.models.name
}

output "version" {
  description = "Tag of the images that run, for the way back; empty where none do."
  value       = var.size == "base" ? "" : var.image_version
}
