import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from netwright import Activation, Dropout, Layer, Network
from netwright.draw.diagram import COLUMNS, NEURONS, printable

SVG = "{http://www.w3.org/2000/svg}"


def parsed(network):
    return ET.fromstring(network._repr_html_())


def words(network):
    return [text.text for text in parsed(network).iter(f"{SVG}text")]


def lines(network):
    """(colour, opacity, lines) of every path."""
    return [
        (path.get("stroke"), float(path.get("stroke-opacity")), path.get("d").count("M"))
        for path in parsed(network).iter(f"{SVG}path")
    ]


NETWORKS = {
    "xor": Network([2, 3, 1], rng=0),
    "wide": Network([64, 100, 10], loss="cross_entropy", rng=0),
    "deep": Network([32] + [64] * 8 + [1], rng=0),
    "dropout": Network([20, 16, 8, 3], dropout=0.25, loss="cross_entropy", rng=0),
    "smallest": Network([1, 1], rng=0),
    "huge": Network([3000, 1000] + [200] * 60 + [1000], loss="cross_entropy", rng=0, dtype="float32"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_is_xml_of_bounded_size_and_fits_its_box(name):
    network = NETWORKS[name]
    root = parsed(network)
    picture = root.find(f"{SVG}svg")
    width, height = float(picture.get("width")), float(picture.get("height"))
    assert width <= 1100
    for circle in picture.iter(f"{SVG}circle"):
        assert 0 < float(circle.get("cx")) < width
        assert 0 < float(circle.get("cy")) < height
    for text in picture.iter(f"{SVG}text"):
        assert 8 < float(text.get("y")) < height
    assert len(network._repr_html_()) - len(network.summary()) < 25_000
    assert root.find("pre").text == network.summary()


def test_every_small_layer_is_drawn_whole():
    network = NETWORKS["xor"]
    neurons = [circle for circle in parsed(network).iter(f"{SVG}circle") if circle.get("r") == "7"]
    assert len(neurons) == 2 + 3 + 1
    assert sum(count for _, _, count in lines(network)) == 2 * 3 + 3 * 1
    assert words(network) == ["inputs", "2", "tanh", "3", "sigmoid", "1"]


def test_large_layers_are_hinted_at():
    network = NETWORKS["wide"]
    neurons = [circle for circle in parsed(network).iter(f"{SVG}circle") if circle.get("r") == "7"]
    assert len(neurons) == 3 * NEURONS
    assert {"64", "100", "10"} <= set(words(network))
    assert "1,000" in words(NETWORKS["huge"])


def test_many_layers_are_counted_where_they_are_left_out():
    assert f"{63 - COLUMNS} more" in words(NETWORKS["huge"])


def test_dropout_stands_under_the_layer_it_acts_on():
    network = Network([Dropout(0.1), Layer(2, 3, "relu", rng=0), Dropout(0.5), Layer(3, 1, "sigmoid", rng=0)])
    assert words(network) == ["inputs", "2", "dropout 0.1", "relu", "3", "dropout 0.5", "sigmoid", "1"]


def test_colour_is_the_sign_and_opacity_the_strength():
    network = Network([2, 2], rng=0)
    network.layers[0].W = [[1.0, -1.0], [0.01, -0.01]]
    drawn = lines(network)
    positive, negative = {c for c, _, _ in drawn}
    assert positive != negative
    by_strength = sorted(drawn, key=lambda line: line[1])
    assert by_strength[0][1] == by_strength[1][1] < by_strength[2][1] == by_strength[3][1]
    assert {count for _, _, count in drawn} == {1}


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf])
def test_any_weights_can_be_drawn(value):
    network = Network([2, 3, 1], rng=0)
    network.layers[0].W[...] = value
    assert sum(count for _, _, count in lines(network)) == 9


def test_names_are_escaped_and_cut():
    own = Activation("<b>a&b</b> \x00 and much more", np.tanh, lambda Z, A: 1 - A**2)
    network = Network([3, 2, 1], activation=own, rng=0)
    (title,) = [word for word in words(network) if word.startswith("<b>")]
    assert title.startswith("<b>a&b</b> �")
    assert title.endswith("…")
    assert "<b>" not in network._repr_html_()


def test_no_colour_but_the_weights_and_the_surroundings():
    """So that it reads on a light page and on a dark one."""
    text = NETWORKS["dropout"]._repr_html_()
    assert set(re.findall(r"(?:fill|stroke)='([^']*)'", text)) <= {"none", "currentColor", "#3b82c4", "#e07b39"}


def test_printable_keeps_text_and_replaces_what_xml_forbids():
    assert printable("naïve 日本 🐧\n") == "naïve 日本 🐧\n"
    assert printable("a\x00b\x1b\ud800\ufffe") == "a�b���"
