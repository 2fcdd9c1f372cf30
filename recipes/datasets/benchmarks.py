"""The published test sets as a builder of TensorFlow Datasets, one configuration per set.

They have no download that can be relied on, so they are read from `manual_dir`, in any of the
layouts that `recipes.datasets.layouts` knows:

    python -m recipes.datasets restoration_benchmarks/set5 --manual-dir DIR
    tfds.load("restoration_benchmarks/set5", split="test")
"""

from pathlib import Path

import tensorflow_datasets as tfds

from recipes.datasets.bsds300 import Examples
from recipes.datasets.layouts import BENCHMARKS, benchmark_files, read_benchmark

CITATIONS = {
    "set5": """@inproceedings{bevilacqua2012low,
  title={Low-complexity single-image super-resolution based on nonnegative neighbor embedding},
  author={Bevilacqua, Marco and Roumy, Aline and Guillemot, Christine and Alberi-Morel, Marie-Line},
  booktitle={British Machine Vision Conference},
  year={2012}
}""",
    "set14": """@inproceedings{zeyde2010single,
  title={On single image scale-up using sparse-representations},
  author={Zeyde, Roman and Elad, Michael and Protter, Matan},
  booktitle={International Conference on Curves and Surfaces},
  year={2010}
}""",
    "set12": """@article{zhang2017beyond,
  title={Beyond a {Gaussian} denoiser: Residual learning of deep {CNN} for image denoising},
  author={Zhang, Kai and Zuo, Wangmeng and Chen, Yunjin and Meng, Deyu and Zhang, Lei},
  journal={IEEE Transactions on Image Processing},
  year={2017}
}""",
    "bsd68": """@inproceedings{roth2005fields,
  title={Fields of experts: A framework for learning image priors},
  author={Roth, Stefan and Black, Michael J.},
  booktitle={IEEE Conference on Computer Vision and Pattern Recognition},
  year={2005}
}""",
    "kodak24": """@misc{franzen1999kodak,
  title={Kodak lossless true color image suite},
  author={Franzen, Rich},
  howpublished={http://r0k.us/graphics/kodak},
  year={1999}
}""",
    "urban100": """@inproceedings{huang2015single,
  title={Single image super-resolution from transformed self-exemplars},
  author={Huang, Jia-Bin and Singh, Abhishek and Ahuja, Narendra},
  booktitle={IEEE Conference on Computer Vision and Pattern Recognition},
  year={2015}
}""",
    "mcmaster": """@article{zhang2011color,
  title={Color demosaicking by local directional interpolation and nonlocal adaptive thresholding},
  author={Zhang, Lei and Wu, Xiaolin and Buades, Antoni and Li, Xin},
  journal={Journal of Electronic Imaging},
  year={2011}
}""",
}


class RestorationBenchmarks(tfds.core.GeneratorBasedBuilder):
    """Clean images of Set5, Set14, Set12, BSD68, Kodak24, Urban100 and McMaster.

    Features: `image`, uint8 `(height, width, channels)`, as in the file (Set14 has a grey image,
    Set12 and BSD68 are grey); `name`, the name of the file without its ending.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}  # noqa: RUF012  as TensorFlow Datasets wants it
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name=name, description=f"{known.title}, {known.number} images.")
        for name, known in BENCHMARKS.items()
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put the folder of the set (Set5, Set14, Set12, BSD68, Kodak24, Urban100 or McMaster) into "
        "the manual folder, as you have it: plain, with HR and LR_bicubic, with image_SRF_4, or "
        "with original and GTmod12."
    )

    def _info(self) -> tfds.core.DatasetInfo:
        known = BENCHMARKS[self.builder_config.name]
        image = tfds.features.Image(shape=(None, None, 1 if known.grey else None))
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{known.title}: {known.number} clean images for testing restoration.",
            features=tfds.features.FeaturesDict({"image": image, "name": tfds.features.Text()}),
            citation=CITATIONS[self.builder_config.name],
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Examples]:
        files = benchmark_files(dl_manager.manual_dir, self.builder_config.name)
        return {"test": self._generate_examples(files)}

    def _generate_examples(self, files: list[Path]) -> Examples:
        for path in files:
            image = read_benchmark(path, self.builder_config.name)
            yield path.stem, {"image": image, "name": path.stem}
