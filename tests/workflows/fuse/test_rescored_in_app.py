"""A fused run in the form of ``lgca_rescore``."""

import lgca_plugin as lgca
from tests.helpers.app.operators import RESCORE
from tests.helpers.fusion.fused_birds import FOUR


def test_form__of_a_fused_run_keeps_its_learned_method_and_offers_no_weights_of_it(birds):
    properties, found = RESCORE.form(birds, run="fused", settings_source="change", class_source="typed")
    assert set(found) == {"unchanged"}
    assert properties["methods_of_fused"].default == ["clip", "wca", "lgca", "hada"]
    of_hada = [name for name in properties if name.startswith("hada_")]
    assert of_hada == ["hada_text_scale_of_fused"]
    plain = RESCORE.form(birds, run="one")[0]["methods_of_one"]
    assert "hada" not in [choice.value for choice in plain.view.choices]


def test_operator__rescores_a_fused_run_with_fewer_classes(birds):
    RESCORE.call(birds, "fused", run_key="few", classes=list(FOUR))
    few = lgca.load_run(birds, "few")
    assert few.config.classes == FOUR
    assert few.summary()["predicted"] == 32
    assert [method.name for method in few.config.methods] == ["clip", "wca", "lgca", "hada"]
