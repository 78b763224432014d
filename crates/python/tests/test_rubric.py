import math
import pickle
import threading

import pytest
import toolrl

GOLD = '<think>a</think>\n<tool_call>\n{"name": "weather", "parameters": {"city": "Rome"}}\n</tool_call>'
HERMES = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'


def test_the_papers_reward():
    rubric = toolrl.Rubric()
    assert rubric.range == (-3.0, 4.0) and rubric.terms == [("format", 1.0), ("correctness", 1.0)]
    assert [rubric.total(reply, GOLD) for reply in [GOLD, GOLD.replace("Rome", "Oslo"), "no"]] == [4.0, 2.0, -3.0]
    score = rubric.score(GOLD.replace("Rome", "Oslo"), GOLD)
    assert (score.terms["format"].value, score.terms["correctness"].value, score.skipped) == (1.0, 1.0, False)
    assert score.terms["correctness"].range == (-3.0, 3.0)
    assert '"city" is "Oslo", not "Rome"' in rubric.explain(GOLD.replace("Rome", "Oslo"), GOLD)


def test_dialects_tools_presets_and_recipes(tmp_path):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "integer"}}}}}]
    rubric = toolrl.Rubric([{"id": "schema"}, {"id": "correctness", "weight": 0.5}])
    score = rubric.score(HERMES, HERMES, dialect="hermes", tools=tools)
    assert (score.terms["schema"].value, score.total) == (0.0, 1.5)
    each = rubric.totals([HERMES] * 2, [HERMES] * 2, dialect="hermes", tools=[tools, []])
    assert each[0] == 1.5 and len(each) == 2
    assert [name for name, _ in toolrl.Rubric("star").terms] == ["rouge_values"]
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('name = "x"\n[train]\nmethod = "grpo"\n[[reward]]\nid = "format"\nweight = 2.0\n')
    assert toolrl.Rubric.of_recipe(recipe).total(GOLD, GOLD) == 2.0


def test_any_text_at_any_step_has_a_reward():
    rubric = toolrl.Rubric("released")
    assert rubric.total(GOLD, GOLD, progress=(1, 10)) == rubric.total(GOLD, GOLD)
    assert not math.isnan(rubric.total("\ud800 lone", GOLD))


def test_what_is_wrong_is_named():
    for reward, part in [("starr", "starr"), ([{"id": "formt"}], "formt"), ([{"id": "format", "x": 1}], "x"), ([], "at least one")]:
        with pytest.raises(ValueError, match=part):
            toolrl.Rubric(reward)
    for name in ["😀", "a\x7fb", "é\"\\\n"]:
        with pytest.raises(ValueError) as raised:
            toolrl.Rubric([{"id": name}])
        assert f'unknown reward term "{name}"' in str(raised.value), "the name arrives as it is"
    with pytest.raises(ValueError, match="2 replies, 1 gold"):
        toolrl.Rubric().totals(["a", "b"], ["c"])
    with pytest.raises(ValueError, match="reply 1"):
        toolrl.Rubric().totals(["a", "b"], [GOLD, "<think>no <tool_call> here</think>"])


def test_rubrics_are_pickled_and_shared_by_threads():
    rubric = pickle.loads(pickle.dumps(toolrl.Rubric("star")))
    assert repr(rubric) == repr(toolrl.Rubric("star"))
    totals = []
    threads = [threading.Thread(target=lambda: totals.append(rubric.totals([GOLD] * 200, [GOLD] * 200)[0])) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(set(totals)) == 1 and len(totals) == 4
