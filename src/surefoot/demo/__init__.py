"""The main job on a world whose truth is known: check, train plain and robust, compare."""

from surefoot.demo.pipeline import run_demo
from surefoot.demo.result import DemoResult
from surefoot.demo.table import print_policies, print_table

__all__ = ["DemoResult", "print_policies", "print_table", "run_demo"]
