"""Endpoints of the import service. May import FastAPI."""

from fastapi import APIRouter

router = APIRouter()
