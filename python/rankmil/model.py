# SPDX-License-Identifier: Apache-2.0
"""Trained models, and what they say of a bag."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Union

import numpy as np

from rankmil._error import Catch
from rankmil._native import ffi, lib
from rankmil._text import Path, path, text
from rankmil.bag import Bag, as_struct


@dataclass
class Prediction:
    """What a model, or several together, say of one bag. What the task does not have is None."""

    probability: Optional[float]
    """Two classes: of the second one."""
    logit: Optional[float]
    calibrated: Optional[float]
    """The probability as the model is calibrated; None: it is not, or several models were asked."""
    predicted: Optional[str]
    """The class of the highest probability."""
    probabilities: Dict[str, float]
    """Of every class."""
    answer: Optional[float]
    """Survival: the risk, higher means earlier; a number: that."""
    survival: Optional[np.ndarray]
    """Survival by hazards: S at the end of each bin."""
    sd: Optional[float]
    """Over several models, of what they say; None for one."""
    scores: np.ndarray
    """K, float32: of each patch, before softmax. Of several models their mean."""
    attention: np.ndarray
    """K, float32."""


class Model:
    """A model file of `rankmil run`, `train` or `study`, or another that rankmil reads (docs/models.md)."""

    def __init__(self, file: Path) -> None:
        catch = Catch()
        self._model = ffi.gc(catch(lib.rmil_model_load(path(file), catch.place)), lib.rmil_model_free)

    @property
    def _config(self) -> Any:
        return lib.rmil_model_config(self._model)

    @property
    def method(self) -> str:
        """Its method's name: "rank", "abmil" …"""
        method = lib.rmil_method_of_config(self._config)
        return text(self._config.model if method == ffi.NULL else method.name) or ""

    @property
    def dim(self) -> int:
        """How many features a patch has."""
        return int(self._config.dim)

    @property
    def classes(self) -> List[str]:
        """Names of the classes, in order; empty for other tasks."""
        task = self._config.task
        return [ffi.string(task.names[c]).decode() for c in range(task.classes)]

    @property
    def task(self) -> str:
        """What it predicts: "classes", "survival" or "number"."""
        return text(lib.rmil_task_kind_name(self._config.task.kind)) or ""

    def predict(self, bag: Union[Bag, np.ndarray]) -> Prediction:
        """Of a Bag, or of an array of patches × features."""
        return predict([self], bag)

    def write_onnx(self, file: Path) -> None:
        """For programs without rankmil (docs/models.md)."""
        catch = Catch()
        catch(lib.rmil_model_onnx_write(self._model, path(file), catch.place))


def _number(value: float) -> Optional[float]:
    return None if np.isnan(value) else float(value)


def predict(models: Sequence[Model], bag: Union[Bag, np.ndarray]) -> Prediction:
    """What several models of one task say together: the mean, and its SD over the models, as `rankmil predict` does."""
    if not models:
        raise ValueError("no model is given")
    struct, keep = as_struct(bag if isinstance(bag, Bag) else Bag(features=bag))
    first = models[0]
    if lib.rmil_model_sees(first._model):
        raise ValueError(f"{first.method} reads the slide itself, not features: use the command `rankmil predict`")
    if struct.dim != first.dim:
        raise ValueError(f"the bag has {struct.dim} features per patch, but the model takes {first.dim}")
    scores, attention = np.zeros(struct.count, np.float32), np.zeros(struct.count, np.float32)
    said, sd, target = ffi.new("RmilPrediction *"), ffi.new("double *"), ffi.new("RmilTarget *", {"label": -1})
    target.time = target.value = float("nan")
    catch = Catch()
    catch(
        lib.rmil_ensemble_predict(
            ffi.new("RmilModel *[]", [m._model for m in models]),
            len(models),
            struct,
            target,
            said,
            sd,
            ffi.cast("float *", scores.ctypes.data),
            ffi.cast("float *", attention.ctypes.data),
            catch.place,
        )
    )
    del keep
    names, values = first.classes, np.array([said.values[i] for i in range(said.count)])
    return Prediction(
        probability=_number(said.probability),
        logit=_number(said.logit),
        calibrated=_number(said.calibrated) if len(models) == 1 else None,
        predicted=names[said.predicted] if said.predicted >= 0 else None,
        probabilities=dict(zip(names, values.tolist())),
        answer=_number(said.answer),
        survival=values if first.task == "survival" and said.count else None,
        sd=_number(sd[0]) if len(models) > 1 else None,
        scores=scores,
        attention=attention,
    )
