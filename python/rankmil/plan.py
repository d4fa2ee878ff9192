# SPDX-License-Identifier: Apache-2.0
"""Running a plan: all that `rankmil study` does."""

import os
import warnings
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional

from rankmil._error import Catch, RankmilError
from rankmil._native import ffi, lib
from rankmil._text import Path, path, text
from rankmil.record import Record

Progress = Callable[[str, int, int], None]


@dataclass
class Outcome:
    """What came of a plan."""

    planned: int
    made: int
    kept: int
    """Trainings that the record had already."""
    failed: Dict[str, str]
    """Trainings that could not be made, and why."""
    problems: Dict[str, str]
    """Slides that were left out, and why."""
    record: Record


@dataclass
class _Listener:
    progress: Optional[Progress]
    problems: Dict[str, str]


_Function = Callable[..., None]
_extern: Callable[[_Function], _Function] = ffi.def_extern()


@_extern
def rankmil_progress(user: Any, what: Any, done: int, total: int) -> None:
    listener = ffi.from_handle(user)
    if listener.progress:
        listener.progress(text(what) or "", done, total)


@_extern
def rankmil_warn(user: Any, message: Any) -> None:
    warnings.warn(text(message) or "", stacklevel=2)


@_extern
def rankmil_problem(user: Any, stage: Any, id: Any, error: Any) -> None:
    ffi.from_handle(user).problems[text(id) or text(stage) or ""] = text(error.message) or ""


def _prepare_options(keep: Any, threads: int, given: Dict[str, Any]) -> Any:
    options = ffi.new("RmilPrepareOptions *")
    lib.rmil_prepare_options_init(options)
    options.threads = threads
    for name, value in given.items():
        if name in ("encoder", "weights", "device"):
            setattr(options, name, lib.g_strdup(os.fsencode(value)))
        elif name in ("mpp", "tile_mpp", "min_tissue", "padding", "label_threshold", "bfloat16"):
            setattr(options, name, value)
        else:
            raise TypeError(f"run_plan() has no option {name!r}")
    keep.append(ffi.gc(options, lib.rmil_prepare_options_clear))
    return options


def run_plan(
    plan: Path,
    cohort: Path,
    folder: Path,
    *,
    sets: Optional[Dict[str, Any]] = None,
    threads: int = 0,
    report: bool = True,
    progress: Optional[Progress] = None,
    **prepare: Any,
) -> Outcome:
    """Does every training of the plan that the folder's record does not have, and writes report.html.

    plan: a YAML file (docs/studies.md). sets: fields and settings that replace the file's. threads: 0 for all processors. progress:
    called with what is being done, how much is done, and of how much; from any thread, and not to be left by an exception. prepare:
    how slides become features, where the cohort names no features: encoder, weights, device, mpp, tile_mpp, min_tissue, padding,
    label_threshold, bfloat16. Slides that fail are left out, as on the command line; what is doubtful is a warning.
    """
    keep: Any = []
    listener = _Listener(progress, {})
    handle = ffi.new_handle(listener)
    monitor = ffi.new("RmilMonitor *")
    monitor.user, monitor.progress, monitor.warn, monitor.problem = handle, lib.rankmil_progress, lib.rankmil_warn, lib.rankmil_problem
    catch, name = Catch(), path(folder)
    settings = [ffi.new("char[]", f"{key}={value}".encode()) for key, value in (sets or {}).items()]
    read = ffi.gc(
        catch(lib.rmil_study_plan_read(path(plan), ffi.new("char *[]", settings + [ffi.NULL]), catch.place)), lib.rmil_study_plan_free
    )
    options = _prepare_options(keep, threads, prepare)
    work = ffi.gc(catch(lib.rmil_work_new(name, options, monitor, catch.place)), lib.rmil_work_free)
    catch(lib.rmil_work_read(work, path(cohort), catch.place))
    catch(lib.rmil_work_lock(work, lib.RMIL_LOCK_ALONE, b"rankmil in Python", catch.place))
    outcome = ffi.new("RmilStudyOutcome *")
    base, data_options = ffi.new("RmilTrainOptions *"), ffi.new("RmilTrainOptions *")
    lib.rmil_train_options_init(base)
    try:
        catch(lib.rmil_study_accepts(name, lib.rmil_study_plan_kind(read), catch.place))
        prepared = ffi.gc(catch(lib.rmil_work_prepare(work, catch.place)), lib.rmil_cohort_free)
        catch(lib.rmil_study_plan_data_options(read, base, data_options, catch.place))
        cache = os.path.join(name, b"cache")
        data = ffi.gc(
            catch(lib.rmil_train_data_load(prepared, data_options, cache, threads, monitor, catch.place)), lib.rmil_train_data_free
        )
        for i in range(data.count):
            if data.set.errors[i] != ffi.NULL:
                listener.problems[text(data.cohort.rows[i].id) or ""] = text(data.set.errors[i]) or ""
        held = ffi.new("char[]", name)
        how = ffi.new("RmilStudyOptions *", {"folder": held, "threads": threads})
        try:
            catch(lib.rmil_study_execute(read, data, base, how, monitor, outcome, catch.place))
            done = Outcome(outcome.planned, outcome.made, outcome.kept, _failures(outcome), listener.problems, Record(folder))
        finally:
            lib.rmil_study_outcome_clear(outcome)
        if report and done.made + done.kept:
            catch(lib.rmil_report_write(name, os.path.join(name, b"report.html"), monitor, catch.place))
        return done
    finally:
        lib.rmil_train_options_clear(base)
        lib.rmil_train_options_clear(data_options)
        ffi.release(work)


def _failures(outcome: Any) -> Dict[str, str]:
    out: Dict[str, str] = {}
    for i in range(outcome.failures.len):
        failure = ffi.cast("RmilStudyFailure *", outcome.failures.pdata[i])
        out[text(failure.title) or ""] = text(failure.message) or ""
    return out


__all__ = ["Outcome", "Progress", "RankmilError", "run_plan"]
