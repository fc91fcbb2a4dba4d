"""What headers of DICOM files say: their elements as texts and numbers, and the fields of the data model they fill."""
