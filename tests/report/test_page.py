"""Pages: what of a notebook is shown, what is refused, and that nothing in a page acts."""

import re

import pytest
from conftest_html import Tags, visible
from nbformat import v4

from salesanalysis.present import html
from salesanalysis.report import page
