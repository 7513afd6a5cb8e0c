"""The plugin as FiftyOne sees it: what it registers, what it costs to load, and that its papers agree."""

import json
import re
import subprocess
import sys

import fiftyone.operators as foo
import fiftyone.plugins as fop
import fiftyone.plugins.context as fopc
import pytest
import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it on Python 3.10

from lgca_plugin.version import __version__
from tests.helpers.paths import ROOT

PLUGIN = "@lgca/zero-shot"

LOAD = """
import json, sys
import fiftyone.plugins.context as fopc
context = next(c for c in fopc.build_plugin_contexts() if c.name == "@lgca/zero-shot")
print(json.dumps({
    "errors": context.errors,
    "operators": sorted(operator.name for operator in context.instances),
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""


@pytest.fixture(scope="module")
def loaded():
    """What a new process holds after it has loaded the plugin."""
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def manifest():
    return yaml.safe_load((ROOT / "fiftyone.yml").read_text())


def test_load__no_errors(loaded):
    assert loaded["errors"] == []


def test_load__imports_neither_torch_nor_open_clip(loaded):
    assert not {"torch", "torchvision", "open_clip", "timm"} & set(loaded["modules"])


def test_manifest__lists_exactly_the_operators_that_register(loaded, manifest):
    assert loaded["operators"] == sorted(manifest["operators"] + (manifest["panels"] or []))


def test_manifest__every_operator_class_is_listed(manifest):
    """FiftyOne drops an operator that the manifest does not list without a word."""
    package = next(c for c in fopc.build_plugin_contexts() if c.name == PLUGIN)
    module = sys.modules[type(package.instances[0]).__module__.partition(".operators")[0] + ".operators"]
    assert sorted(cls().name for cls in module.OPERATORS) == sorted(manifest["operators"])
    assert sorted(cls().name for cls in module.PANELS) == sorted(manifest["panels"])


def test_manifest__the_app_finds_the_script_and_its_operator(manifest):
    (definition,) = (found for found in fop.list_plugins() if found.name == PLUGIN)
    assert definition.has_js and definition.js_bundle == manifest["js_bundle"]
    script = (ROOT / manifest["js_bundle"]).read_text()
    assert "lgca_arrange_app" in (ROOT / "operators/shared/grid/shown_fields.py").read_text()
    assert '"lgca_arrange_app"' in script and f'"{PLUGIN}"' in script


def test_manifest__one_version_everywhere(manifest):

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert manifest["version"] == project["version"] == __version__


def test_manifest__fiftyone_requirement_is_that_of_the_package(manifest):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"fiftyone{manifest['fiftyone']['version']}" in project["dependencies"]


def test_requirements__are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == project["dependencies"]


def test_tested_versions__are_of_the_required_packages_and_allowed():
    from packaging.requirements import Requirement

    from lgca_plugin.version import TESTED

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {requirement.name: requirement for requirement in map(Requirement, project["dependencies"])}
    assert required.keys() == TESTED.keys()
    assert [name for name, found in required.items() if TESTED[name] not in found.specifier] == []


def test_operators__names_labels_and_descriptions_are_distinct_and_risk_is_declared():
    operators = [
        operator
        for operator in foo.list_operators(builtin=False)
        if operator.plugin_name == PLUGIN and not isinstance(operator, foo.Panel)
    ]
    assert len(operators) >= 2
    for attribute in ("name", "label", "description"):
        values = [getattr(operator.config, attribute) for operator in operators]
        assert all(values) and len(set(values)) == len(values)
    assert {operator.risk_level.value for operator in operators} <= {"low", "medium", "high"}


def test_skills__name_every_operator_that_people_see():
    text = (ROOT / "skills/zero-shot-triage/SKILL.md").read_text(encoding="utf-8")
    operators = [one for one in foo.list_operators(builtin=False) if one.plugin_name == PLUGIN]
    names = {one.name for one in operators if not isinstance(one, foo.Panel)}
    seen = {one.name for one in operators if one.name in names and not one.config.unlisted}
    assert set(re.findall(r"\blgca_(?!plugin\b)\w+", text)) <= names
    assert [name for name in sorted(seen) if f"`{name}`" not in text] == []
    assert [part for part in ("## Key Directives", "## Workflow", "## Troubleshooting") if part not in text] == []


def test_icons__every_operator_that_people_see_has_one_of_its_own():
    """A name without a point or a slash is a Material icon, which has the colour of the text in both themes."""
    own = [one for one in foo.list_operators(builtin=False) if one.plugin_name == PLUGIN]
    icons = {one.name: one.config.icon for one in own if isinstance(one, foo.Panel) or not one.config.unlisted}
    assert [name for name, icon in icons.items() if not re.fullmatch("[a-z_]+", icon or "")] == []
    assert icons["lgca_open_review"] == icons["lgca_review"] and icons["lgca_open_compare"] == icons["lgca_compare"]
    operators = [icon for name, icon in icons.items() if name not in ("lgca_review", "lgca_compare")]
    assert len(set(operators)) == len(operators)


def test_skills__each_listed_skill_is_found(manifest):
    skills = fop.list_skills(plugin=PLUGIN)
    assert {skill.name for skill in skills} == set(manifest["skills"])
    assert all(skill.description for skill in skills)


def test_library__import_is_free_of_torch_and_fiftyone():
    code = "import sys, lgca_plugin; print([m for m in ('torch', 'fiftyone', 'open_clip') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_operators__only_the_menu_and_those_that_forms_and_dialogs_execute_are_hidden_from_people():
    operators = {operator.name: operator for operator in foo.list_operators(builtin=False)}
    hidden = [
        name
        for name, operator in operators.items()
        if operator.plugin_name == PLUGIN and operator.config.unlisted and not isinstance(operator, foo.Panel)
    ]
    assert sorted(hidden) == ["lgca_estimate_search", "lgca_menu", "lgca_next_step", "lgca_suggest_settings"]
    for name in ("lgca_estimate_search", "lgca_suggest_settings"):
        assert operators[name].risk_level.value == "low"


def test_readme_of_the_package__has_no_relative_link():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for rule in project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 20 and all(link.startswith(("https://", "#")) for link in links)
    assert "raw.githubusercontent.com/fiftyone-lgca/fiftyone-lgca/main/docs/images/review.png" in text


def test_citation__is_of_this_version():
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert found["version"] == __version__ and len(found["references"]) == 4
