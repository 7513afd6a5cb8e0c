"""The methods of a run for which none are named, and the warning of one that does not fit the crops."""

from __future__ import annotations

from lgca_plugin.config import RegionConfig, RegionPlan, check_methods, default_methods, method_warnings, run_methods


def test_default_methods__end_with_the_decisive_one_that_fits_the_crops():
    large, small = RegionConfig(), RegionConfig(scale_min=0.3)
    assert default_methods(large) == ("clip", "wca", "lgca", "wca_d")
    assert default_methods(small) == ("clip", "wca", "lgca", "lgca_d")
    assert RegionPlan.of(run_methods(None, large), large).encodes_per_image == 87
    assert method_warnings(run_methods(None, large), large) == method_warnings(run_methods(None, small), small) == []
    (warning,) = method_warnings(check_methods(["wca_d"]), small)
    assert warning.startswith("crops from 0.3 of the image's shorter side are too small for wca_d")


def test_run_methods__of_a_continued_run_are_the_default_ones_of_its_release():
    former = check_methods(["clip", "wca", "lgca"])
    assert run_methods(None, RegionConfig(), former) == former
    named = ["clip", "wca", "lgca", "wca_d"]
    assert run_methods(named, RegionConfig(), former) == run_methods(None, RegionConfig(), former[:2])
    assert [method.name for method in run_methods(named, RegionConfig(), former)] == named
