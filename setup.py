"""The packages; all else is in setup.cfg. Configurations lie in the top-level folder and are installed with them."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["seqclr", "seqclr.*"]), "seqclr.configs"])
