"""Model plug-ins. The only package that imports torch and MONAI."""
