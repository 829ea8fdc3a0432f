variable "project" {
  type        = string
  description = "Id of the project that pays."
}

variable "size" {
  type        = string
  default     = "vm"
  description = "base: no machine. vm: one machine with an L4. gke: a cluster whose L4 nodes come and go."

  validation {
    condition     = contains(["base", "vm", "gke"], var.size)
    error_message = "size is base, vm or gke."
  }
}

variable "region" {
  type    = string
  default = "us-central1"
}

variable "zone" {
  type        = string
  default     = "us-central1-a"
  description = "One that has L4s."
}

variable "spot" {
  type        = bool
  default     = false
  description = "L4s that Google may take away at any moment, for about a third of the price."
}

variable "l4_nodes" {
  type        = number
  default     = 2
  description = "The most machines with an L4 of a cluster; the fewest is none."
}

variable "profile" {
  type        = string
  default     = "l4"
  description = "Of cluster/compose.yaml, for a vm: l4 or cpu."
}

variable "image_version" {
  type        = string
  default     = "0.1.0"
  description = "Tag of our images."
}

variable "vm_image_family" {
  type        = string
  default     = "common-cu129-ubuntu-2204-nvidia-580"
  description = "An image with NVIDIA's driver and Docker; TensorRT 11 wants a driver of CUDA 13, the 580 series or newer."
}

variable "images" {
  type        = string
  default     = ""
  description = "Where our images are; empty: the repository that is made here."
}

variable "host" {
  type        = string
  default     = ""
  description = "Of vm and gke: name under which people reach it; its address record must point at the output `address`."
}

variable "administrators" {
  type        = map(string)
  default     = {}
  description = "Networks that may reach the cluster's API: { office = \"203.0.113.0/24\" }."
}

variable "protected" {
  type        = bool
  default     = true
  description = "Refuse to delete the machine or the cluster."
}

variable "billing_account" {
  type        = string
  default     = ""
  description = "Account that the budget's alert belongs to; empty: no alert."
}

variable "budget" {
  type        = number
  default     = 200
  description = "Sum a month at which the last alert is sent. It stops nothing."
}

variable "budget_currency" {
  type    = string
  default = "USD"
}
