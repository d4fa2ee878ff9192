# SPDX-License-Identifier: Apache-2.0
"""The record of a run or a study, as pandas frames."""

import json
from typing import TYPE_CHECKING, Any, Callable, Dict, List

from rankmil._error import Catch
from rankmil._native import ffi, lib
from rankmil._text import Path, path, text
from rankmil.model import Model

if TYPE_CHECKING:
    import pandas

Row = Dict[str, Any]


def _plain(struct: Any, names: List[str]) -> Row:
    return {name: text(value) if isinstance(value := getattr(struct, name), ffi.CData) else value for name in names}


class Record:
    """What `rankmil run`, `train` or `study` left in a folder: every number of every training of the present plan."""

    def __init__(self, folder: Path) -> None:
        catch = Catch()
        self._study = ffi.gc(catch(lib.rmil_study_open(path(folder), catch.place)), lib.rmil_study_free)

    def value(self, name: str) -> str:
        """"kind", "title", "plan" (YAML), "cohort", "task", "reference", "variable", "version" …; "" where it says nothing."""
        return text(lib.rmil_study_value(self._study, name.encode())) or ""

    @property
    def classes(self) -> List[str]:
        task = lib.rmil_study_task(self._study)
        return [ffi.string(task.names[c]).decode() for c in range(task.classes)]

    def __len__(self) -> int:
        return int(lib.rmil_study_count(self._study))

    def _run(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"the record plans {len(self)} trainings, counted from 0")
        return lib.rmil_study_run(self._study, index)

    def runs(self) -> "pandas.DataFrame":
        """One row for each training that is planned, done or not; its index is what the other frames call `run`."""
        rows = []
        for index in range(len(self)):
            run = self._run(index)
            row = _plain(run, ["method", "split", "seed", "done"])
            row["done"] = bool(row["done"])
            for varied in run.varied:
                if varied.name != ffi.NULL:
                    number = varied.number
                    row[text(varied.name) or ""] = number if number == number else text(varied.text)
            if row["done"]:
                row.update(_plain(run, ["epochs", "best_epoch", "seconds", "version", "model", "key"]))
            rows.append(row)
        return self._frame(rows, "run")

    def config(self, index: int) -> Dict[str, Any]:
        """Every setting of a training that is done."""
        config = text(self._run(index).config)
        return dict(json.loads(config)) if config else {}

    def model(self, index: int) -> Model:
        """The model of a training that is done."""
        return Model(self.model_file(index))

    def model_file(self, index: int) -> str:
        """The path of that model."""
        file = text(self._run(index).model)
        if not file:
            raise ValueError(f"training {index} is not done")
        return file

    def predictions(self) -> "pandas.DataFrame":
        """What every training says of every slide (or patient), by its part: train, val, test."""
        names = self.classes

        def row(r: Any) -> Row:
            out = _plain(r, ["slide", "patient"])
            out["part"] = text(lib.rmil_split_name(r.part))
            values = [r.values[i] for i in range(r.count)]
            if names:
                out["label"] = names[r.target.label] if r.target.label >= 0 else None
                out.update({"probability": r.probability, "logit": r.logit} if len(names) == 2 else zip([f"p_{n}" for n in names], values))
            else:
                out.update(answer=r.answer, time=r.target.time, event=bool(r.target.event), value=r.target.value)
                out.update({f"S({r.times[i]:g})": value for i, value in enumerate(values)})
            return out

        return self._rows("RmilPredictionRow", lib.rmil_study_predictions, row)

    def epochs(self) -> "pandas.DataFrame":
        """Losses and the validation metric after every epoch."""
        names = ["epoch", "train_loss", "train_slide_loss", "train_guide_loss", "val_loss", "val_metric"]
        return self._rows("RmilEpoch", lib.rmil_study_epochs, lambda r: {**_plain(r, names), "best": bool(r.best)})

    def localisation(self) -> "pandas.DataFrame":
        """IoU, Dice and the pointing game of annotated test slides, by share of patches."""
        return self._plain_rows("RmilLocalisationRow", lib.rmil_study_localisation, ["slide", "alpha", "iou", "dice", "pointing"])

    def attention(self) -> "pandas.DataFrame":
        """Mean attention in the lesion and elsewhere, × number of patches."""
        return self._plain_rows("RmilAttentionRow", lib.rmil_study_attention, ["slide", "lesion", "elsewhere", "lesion_share"])

    def patches(self) -> "pandas.DataFrame":
        """AUROC and average precision of the patches of annotated test slides."""
        return self._plain_rows("RmilPatchRow", lib.rmil_study_patches, ["slide", "auroc", "average_precision"])

    def lesions(self) -> "pandas.DataFrame":
        """Every lesion of these slides, and the detection in it."""
        names = ["slide", "lesion", "tiles", "score", "false_positives", "negatives"]
        return self._plain_rows("RmilLesionRow", lib.rmil_study_lesions, names)

    def _plain_rows(self, kind: str, read: Callable[..., Any], names: List[str]) -> "pandas.DataFrame":
        return self._rows(kind, read, lambda r: _plain(r, names))

    def _rows(self, kind: str, read: Callable[..., Any], row: Callable[[Any], Row]) -> "pandas.DataFrame":
        rows: List[Row] = []
        for index in range(len(self)):
            run = self._run(index)
            if not run.done:
                continue
            catch = Catch()
            array = ffi.gc(catch(read(self._study, index, catch.place)), lib.g_array_unref)
            each = ffi.cast(f"{kind} *", array.data)
            head = {"run": index, "method": text(run.method), "split": text(run.split), "seed": run.seed}
            rows.extend({**head, **row(each[i])} for i in range(array.len))
        return self._frame(rows, None)

    @staticmethod
    def _frame(rows: List[Row], index: Any) -> "pandas.DataFrame":
        try:
            import pandas
        except ImportError as error:
            raise ImportError("frames need pandas: pip install 'rankmil[frames]'") from error
        frame = pandas.DataFrame(rows)
        frame.index.name = index
        return frame
