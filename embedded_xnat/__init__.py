"""An XNAT-compatible archive server: the default where no XNAT is at hand. Imports only `service_kit`."""
