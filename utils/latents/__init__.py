"""From a run to latents."""
