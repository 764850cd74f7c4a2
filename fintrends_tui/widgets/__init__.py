"""The dashboard's widgets, one file each. They paint from a `View` and know no pipeline."""
