# SPDX-License-Identifier: Apache-2.0
"""The package as a notebook uses it, against the command."""
import csv
import json
import os
import subprocess
import tempfile
import unittest
import warnings

import numpy as np
import rankmil

try:
    import pandas
except ImportError:
    pandas = None

COMMAND = os.path.join(os.environ["RMIL_BUILD"], "cli", "rankmil")
PLAN = """study: comparison
title: Two methods
methods: [abmil, rank]
reference: rank
seeds: 1
"""


def command(*arguments):
    return subprocess.run([COMMAND, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


class Cohort(unittest.TestCase):
    """One small cohort of features, and a plan run on it."""

    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory(prefix="rankmil-python-")
        cls.folder = cls.holder.name
        cls.big = os.path.join(cls.folder, "big")
        command("synth", cls.big, "--features", "--slides", 24, "--scale", 0.01, "--dim", 16, "--difficulty", 0.1)
        cls.table = os.path.join(cls.big, "cohort.csv")
        with open(cls.table, encoding="utf-8") as file:
            cls.rows = list(csv.DictReader(file))
        cls.slide = os.path.join(cls.big, cls.rows[0]["features"])
        cls.plan = os.path.join(cls.folder, "plan.yaml")
        with open(cls.plan, "w", encoding="utf-8") as file:
            file.write(PLAN)

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def path(self, name):
        return os.path.join(self.folder, name)


class Bags(Cohort):
    def test_read_and_write(self):
        bag = rankmil.read_bag(self.slide)
        self.assertEqual(bag.features.dtype, np.float32)
        self.assertEqual(bag.features.shape, (len(bag), 16))
        self.assertEqual(bag.coords.shape, (len(bag), 2))
        self.assertTrue(set(np.unique(bag.patch_labels)) <= {0, 1})
        for layout in rankmil.layouts():
            file = self.path(f"copy-{layout}.h5")
            bag.mpp = 0.5
            rankmil.write_bag(bag, file, layout=layout)
            again = rankmil.read_bag(file, mpp=0.5)
            mine, theirs = (np.lexsort(b.coords.T) for b in (bag, again))  # "paper" has an order of its own
            np.testing.assert_array_equal(again.features[theirs], bag.features[mine])
            np.testing.assert_array_equal(again.coords[theirs], bag.coords[mine])

    def test_own_features(self):
        features = np.arange(12.0).reshape(4, 3)  # float64: converted
        coords = [[0, 0], [224, 0], [0, 224], [224, 224]]
        rankmil.write_bag(rankmil.Bag(features, np.array(coords), np.array([0, 1, 0, 0]), patch_size=224, patch_size_level0=224), self.path("own.h5"))
        bag = rankmil.read_bag(self.path("own.h5"))
        np.testing.assert_array_equal(bag.features, features)
        self.assertEqual(bag.patch_labels.tolist(), [0, 1, 0, 0])
        self.assertEqual(bag.patch_size_level0, 224)

    def test_errors(self):
        with self.assertRaisesRegex(rankmil.FileError, "nowhere.h5"):
            rankmil.read_bag(self.path("nowhere.h5"))
        with self.assertRaises(OSError):
            rankmil.read_bag(self.path("nowhere.h5"))
        with self.assertRaisesRegex(rankmil.FormatError, "plan.yaml"):
            rankmil.read_bag(self.plan)
        with self.assertRaisesRegex(ValueError, "coords has the shape"):
            rankmil.write_bag(rankmil.Bag(np.ones((3, 2)), np.ones((2, 2))), self.path("bad.h5"))
        with self.assertRaisesRegex(rankmil.DataError, "patch 1"):
            rankmil.write_bag(rankmil.Bag(np.array([[1.0], [np.nan]]), np.zeros((2, 2)), patch_size=1, patch_size_level0=1), self.path("nan.h5"))
        self.assertFalse(os.path.exists(self.path("nan.h5")))


class Plans(Cohort):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.heard = []
        cls.outcome = rankmil.run_plan(
            cls.plan, cls.table, os.path.join(cls.folder, "study"), sets={"epochs": 3, "warmup": 1, "seeds": 2}, threads=2,
            progress=lambda what, done, total: cls.heard.append((what, done, total)),
        )

    def test_outcome(self):
        outcome = self.outcome
        self.assertEqual((outcome.planned, outcome.made, outcome.kept), (4, 4, 0))
        self.assertEqual((outcome.failed, outcome.problems), ({}, {}))
        self.assertTrue(self.heard)
        self.assertTrue(os.path.exists(self.path("study/report.html")))
        again = rankmil.run_plan(self.plan, self.table, self.path("study"), sets={"epochs": 3, "warmup": 1, "seeds": 2}, report=False)
        self.assertEqual((again.made, again.kept), (0, 4))

    def test_same_as_command(self):
        command("study", self.plan, self.table, "-o", self.path("by-command"), "--set", "epochs=3", "--set", "warmup=1", "--set", "seeds=2")
        theirs, ours = rankmil.Record(self.path("by-command")), self.outcome.record
        self.assertEqual([theirs.config(i) for i in range(4)], [ours.config(i) for i in range(4)])
        bag = rankmil.read_bag(self.slide)
        for i in range(4):
            self.assertEqual(theirs.model(i).predict(bag).logit, ours.model(i).predict(bag).logit)

    def test_predict(self):
        record = self.outcome.record
        model = record.model(2)
        self.assertEqual((model.method, model.dim, model.task, model.classes), ("rank", 16, "classes", ["0", "1"]))
        bag = rankmil.read_bag(self.slide)
        said = model.predict(bag)
        np.testing.assert_array_equal(said.attention, model.predict(bag.features).attention)
        self.assertAlmostEqual(said.probability, 1 / (1 + np.exp(-said.logit)), places=6)
        self.assertAlmostEqual(float(said.attention.sum()), 1, places=4)
        self.assertEqual(said.scores.shape, (len(bag),))
        self.assertIsNone(said.sd)
        both = rankmil.predict([record.model(2), record.model(3)], bag)
        probabilities = [record.model(i).predict(bag).probability for i in (2, 3)]
        self.assertAlmostEqual(both.probability, np.mean(probabilities), places=9)
        self.assertAlmostEqual(both.sd, np.std(probabilities, ddof=1), places=9)
        with self.assertRaisesRegex(ValueError, "has 5 features per patch, but the model takes 16"):
            model.predict(np.ones((3, 5)))
        with self.assertRaises(rankmil.DataError):
            model.predict(np.full((3, 16), np.nan))

    def test_predict_as_command(self):
        command("predict", self.outcome.record.model_file(2), self.slide, "-o", self.path("predicted"))
        with open(self.path("predicted/predictions.csv"), encoding="utf-8") as file:
            row = next(csv.DictReader(file))
        said = self.outcome.record.model(2).predict(rankmil.read_bag(self.slide))
        self.assertAlmostEqual(float(row["probability"]), said.probability, places=8)

    @unittest.skipUnless(pandas, "pandas is not installed")
    def test_frames(self):
        record = self.outcome.record
        runs = record.runs()
        self.assertEqual(runs["method"].tolist(), ["abmil", "abmil", "rank", "rank"])
        self.assertEqual(runs["seed"].tolist(), [0, 1, 0, 1])
        self.assertTrue(runs["done"].all())
        predictions = record.predictions()
        test = predictions[(predictions.run == 2) & (predictions.part == "test")]
        self.assertEqual(sorted(test["slide"]), sorted(r["id"] for r in self.rows if r["split"] == "test"))
        self.assertEqual(set(test["label"]), {"0", "1"})
        bag = rankmil.read_bag(self.slide)
        recorded = predictions[(predictions.run == 2) & (predictions.slide == self.rows[0]["id"])]["probability"]
        self.assertAlmostEqual(recorded.iloc[0], record.model(2).predict(bag).probability, places=6)
        self.assertEqual(len(record.epochs()), int(runs["epochs"].sum()))
        for frame in (record.localisation(), record.attention(), record.patches(), record.lesions()):
            self.assertTrue(set(frame["run"]) <= set(range(4)))
            self.assertGreater(len(frame), 0)

    def test_record(self):
        record = self.outcome.record
        self.assertEqual(len(record), 4)
        self.assertEqual(record.value("title"), "Two methods")
        self.assertEqual(record.value("nothing"), "")
        self.assertEqual(record.config(0)["epochs"], 3)
        with self.assertRaises(IndexError):
            record.config(4)
        with self.assertRaises(rankmil.RankmilError):
            rankmil.Record(self.folder)

    def test_onnx(self):
        self.outcome.record.model(0).write_onnx(self.path("m.onnx"))
        self.assertGreater(os.path.getsize(self.path("m.onnx")), 1000)

    def test_wrong_plans(self):
        with self.assertRaisesRegex(rankmil.RankmilError, "methods"):
            rankmil.run_plan(self.plan, self.table, self.path("wrong"), sets={"methods": "[none-such]"})
        self.assertFalse(os.path.exists(self.path("wrong")))
        with self.assertRaisesRegex(rankmil.RankmilError, "nowhere.csv"):
            rankmil.run_plan(self.plan, self.path("nowhere.csv"), self.path("wrong"))
        with self.assertRaisesRegex(TypeError, "no option 'encodr'"):
            rankmil.run_plan(self.plan, self.table, self.path("wrong"), encodr="texture")

    def test_problems(self):
        rows = "".join(f"{os.path.join(self.big, r['features'])},{r['label']},{r['split']}\n" for r in self.rows)
        with open(self.path("with-bad.csv"), "w", encoding="utf-8") as file:
            file.write("features,label,split\n" + rows + self.plan + ",1,train\n")
        with warnings.catch_warnings(record=True):
            outcome = rankmil.run_plan(self.plan, self.path("with-bad.csv"), self.path("bad"), sets={"epochs": 1, "warmup": 1}, report=False)
        self.assertEqual(outcome.made, 2)
        self.assertEqual(list(outcome.problems), ["plan"])


class Slides(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory(prefix="rankmil-python-")
        command("synth", os.path.join(cls.holder.name, "s"), "--slides", 4, "--width", 900, "--height", 700)
        folder = os.path.join(cls.holder.name, "s", "slides")
        cls.file = os.path.join(folder, sorted(os.listdir(folder))[0])

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def test_slide(self):
        slide = rankmil.Slide(self.file)
        self.assertAlmostEqual(slide.mpp, 0.5, places=3)
        self.assertEqual(slide.bounds, (0, 0, *slide.size))
        part = slide.read(64, 32, 100, 50)
        self.assertEqual((part.shape, part.dtype), ((50, 100, 3), np.uint8))
        np.testing.assert_array_equal(part[10:20, 30:60], slide.read(94, 42, 30, 10))
        self.assertLessEqual(max(slide.thumbnail(128).shape), 128)
        self.assertEqual(rankmil.Slide(self.file, mpp=0.25).mpp, 0.25)
        with self.assertRaisesRegex(rankmil.FileError, "none.svs"):
            rankmil.Slide("none.svs")


class Module(unittest.TestCase):
    def test_names(self):
        self.assertIn("rank-both", rankmil.methods())
        self.assertEqual(rankmil.__version__, command("--version").split()[-1])
        for name in rankmil.__all__:
            self.assertTrue(hasattr(rankmil, name))
