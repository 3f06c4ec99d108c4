"""scikit-learn's checks of an estimator's manners, and those that it runs on its own estimators only."""

import warnings

import pytest
import sklearn
from sklearn.base import clone
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from netwright import MLPClassifier, MLPRegressor

# The checks train without end on data that nobody scaled: that it has not converged is no news there.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DEFAULTS = [MLPClassifier(max_iter=100), MLPRegressor(max_iter=100)]
# Small layers and long steps for the sake of time; the accuracy that the checks ask for is asked all the same.
QUICK = {"hidden_layer_sizes": (20,), "max_iter": 50, "learning_rate_init": 0.05}
SETTINGS = [
    {"solver": "lbfgs"},
    {"solver": "lm", "max_iter": 8},  # of more, roundings grow beyond what equivalence of weights is held to
    {"solver": "br", "max_iter": 20},
    {"solver": "sgd", "clip_norm": 1.0},
    {"solver": "auto", "hidden_layer_sizes": (5,), "max_iter": 10},
    {"n_networks": 2},
    {"early_stopping": True, "validation_fraction": 0.3, "n_iter_no_change": 50, "scoring": "loss"},
]
ESTIMATORS = [kind(**QUICK | setting) for kind in (MLPClassifier, MLPRegressor) for setting in SETTINGS]
BALANCED = MLPClassifier(**QUICK, class_weight="balanced")

# Excused is only what cannot be: a random split of other rows, and what partial_fit refuses, as scikit-learn's do.
REFUSED = dict.fromkeys(
    ["check_estimators_partial_fit_n_features", "check_n_features_in_after_fitting", "check_fit_score_takes_y"],
    "partial_fit refuses early_stopping=True and class_weight='balanced'",
)
OTHER_ROWS = dict.fromkeys(
    ["check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"],
    "among repeated rows others are held out",
)


def excused(estimator):
    if estimator.early_stopping:
        return REFUSED | OTHER_ROWS
    return REFUSED if getattr(estimator, "class_weight", None) == "balanced" else {}


@parametrize_with_checks([*DEFAULTS, *ESTIMATORS, BALANCED], expected_failed_checks=excused)
def test_check(estimator, check):
    check(estimator)


OWN = [  # what scikit-learn 1.9 runs on its own estimators beside those; some names came with later versions than 1.6
    "check_all_zero_sample_weights_error",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_inplace_ensure_writeable",
    "check_param_validation",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]
HERE = [name for name in OWN if hasattr(estimator_checks, name)]


def test_they_are_still_called_so():
    version = tuple(map(int, sklearn.__version__.split(".")[:2]))
    assert HERE == OWN or version != (1, 9)


@pytest.mark.filterwarnings("ignore:X .*feature names")  # they give frames to fit and arrays to transform, and so on
@pytest.mark.parametrize("estimator", DEFAULTS, ids=lambda estimator: type(estimator).__name__)
@pytest.mark.parametrize("name", HERE)
def test_what_scikit_learn_asks_of_its_own(name, estimator):
    getattr(estimator_checks, name)(type(estimator).__name__, clone(estimator))


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("estimator", DEFAULTS, ids=lambda estimator: type(estimator).__name__)
def test_column_names_are_kept_and_compared(estimator, early_stopping):
    """scikit-learn's own MLP is excused from this when it stops early."""
    estimator = clone(estimator).set_params(early_stopping=early_stopping, n_iter_no_change=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator_checks.check_dataframe_column_names_consistency(type(estimator).__name__, estimator)
    assert not [warning for warning in caught if "feature names" in str(warning.message)]
