"""The door: receives DICOM, keeps it safe, groups it into arrivals and orders what happens to them."""
