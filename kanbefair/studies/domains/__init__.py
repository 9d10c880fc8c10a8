"""The five domains: score against parameters and FLOPs."""
