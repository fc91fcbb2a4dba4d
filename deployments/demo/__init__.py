"""The demonstration: real scans, de-identified as a site would, sent and followed to the release."""
