"""The page shell of all services: templates, navigation, security headers, static files. May import FastAPI."""

from service_kit.web.pages import Pages
from service_kit.web.site import NavigationItem, Site

__all__ = ["NavigationItem", "Pages", "Site"]
