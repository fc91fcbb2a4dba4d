"""Only models of the table are loaded; the rest of extraction starts without torch."""

import subprocess
import sys

import pytest

from tasks.extraction.models import ModelUnknown, load_model, model_names


def test_the_brain_model_is_in_the_table():
    assert "brain_tiv" in model_names()


def test_a_name_outside_the_table_is_refused_with_those_inside():
    with pytest.raises(ModelUnknown, match=r"There is no model 'os\.system'; installed are: brain_tiv"):
        load_model("os.system")


def test_extraction_is_imported_without_torch_and_monai():
    code = "import sys, tasks.extraction.extract, tasks.extraction.artifacts, tasks.extraction.request; print({'torch', 'monai'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
