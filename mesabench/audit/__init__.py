"""The audit: what proves that an environment is fit to tell objectives apart."""
