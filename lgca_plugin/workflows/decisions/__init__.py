"""Decisions of curators about suspected labels: deciding, undoing, reading and exporting. No forms or panels."""
