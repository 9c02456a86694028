"""Open a workflow in a headless Scipion and run it; runs under the Python of Scipion's environment.

``python scipion_runner.py WORKFLOW FOLDER`` prints a JSON object a protocol, as the last lines.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def run(workflow: Path, folder: Path) -> list[dict[str, Any]]:
    """Return what each protocol of the workflow ended as, and what it gave."""
    (folder / "config").mkdir(parents=True)
    # Scipion finds the machine it runs protocols on here.
    (folder / "config" / "hosts.conf").write_text(
        "[localhost]\nPARALLEL_COMMAND = mpirun -np %_(JOB_NODES)d %_(COMMAND)s\nNAME = none\n"
        "MANDATORY = False\nSUBMIT_COMMAND = true\nCANCEL_COMMAND = true\nCHECK_COMMAND = true\n"
        "SUBMIT_TEMPLATE =\nQUEUES = {}\n"
        'JOB_DONE_REGEX = ""\n'
    )
    programs = str(Path(sys.executable).parent)  # it starts each protocol as `python3`
    os.environ |= {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    os.environ |= {
        "SCIPION_HOME": str(folder),
        "SCIPION_USER_DATA": str(folder / "data"),
        "MPLBACKEND": "Agg",
    }
    import pyworkflow

    os.environ["SCIPION_DOMAIN"] = "pwem"
    pyworkflow.Config.setDomain("pwem")
    from pyworkflow.project import Project

    path = folder / "project"
    path.mkdir()
    project = Project(pyworkflow.Config.getDomain(), str(path))
    project.create()
    os.chdir(path)
    return [_run_one(project, protocol) for protocol in project.loadProtocols(str(workflow)).values()]


def _run_one(project: Any, protocol: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"class": protocol.getClassName(), "label": protocol.getObjLabel()}
    found["errors"] = protocol.validate()
    if not found["errors"]:
        project.launchProtocol(protocol, wait=True)
    found["status"] = protocol.getStatus()
    found["error"] = protocol.getErrorMessage()
    for _, output in protocol.iterOutputAttributes():
        found["output"] = type(output).__name__
        found["items"] = output.getSize() if hasattr(output, "getSize") else 1
        found["sampling_rate"] = output.getSamplingRate()
        found["dim"] = output.getDim()
        if hasattr(output, "getGain"):
            found["gain"] = output.getGain()
        if hasattr(output, "getAcquisition") and output.getAcquisition() is not None:
            taken = output.getAcquisition()
            found["voltage"] = taken.getVoltage()
            found["spherical_aberration"] = taken.getSphericalAberration()
            found["amplitude_contrast"] = taken.getAmplitudeContrast()
            found["dose_per_frame"] = taken.getDosePerFrame()
    return found


if __name__ == "__main__":
    for line in run(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()):
        print(json.dumps(line), flush=True)  # noqa: T201
