"""Weight files: what each must be, verified, downloaded, and read as plain tensors."""
