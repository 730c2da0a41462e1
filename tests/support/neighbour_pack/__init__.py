"""A pack that stands in the way of others as much as real ones do; for the tests of installation.

It puts its own folder first on the import path, imports its packages by their bare names, which are
those of our packages, and registers model folders that we use too, in the loosest accepted form.
"""

import importlib
import os
import sys

import folder_paths

from .nodes import NODE_CLASS_MAPPINGS

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, FOLDER)
package = importlib.import_module("consistentid_core")
assert os.path.dirname(package.__file__).startswith(FOLDER)

folder_paths.folder_names_and_paths["facexlib"] = ([os.path.join(FOLDER, "models")], [".onnx"])

__all__ = ["NODE_CLASS_MAPPINGS"]
