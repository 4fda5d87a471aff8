"""Which finalist is best: trained again under fresh seeds, and once on the sealed test split."""
