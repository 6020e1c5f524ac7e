"""Describes the machine and the store that measured a figure: without them, a figure cannot be compared."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

CPU_FILE = Path("/proc/cpuinfo")
"""Linux lists the processors in it."""
MODEL = re.compile(r"^model name\s*: (.+)$", re.MULTILINE)
MODEL_ON_MACOS = ("sysctl", "-n", "machdep.cpu.brand_string")


def describe_machine() -> dict[str, Any]:
    """Describe the machine that measured the figures."""
    return {
        "cpus": os.cpu_count(),
        "processor": processor_model(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def processor_model(cpu_file: Path = CPU_FILE) -> str:
    """Return the model of the processor; empty if the system does not tell it.

    Args:
        cpu_file: the list of processors of a Linux system.
    """
    if cpu_file.exists():
        found = MODEL.search(cpu_file.read_text(encoding="utf-8", errors="replace"))
        return found[1].strip() if found else ""
    if platform.system() != "Darwin":
        return ""
    told = subprocess.run(MODEL_ON_MACOS, capture_output=True, text=True, check=False)
    return told.stdout.strip()


def machine_words(result: Mapping[str, Any]) -> str:
    """Return machine, system and sizes of a result in a few words, without the parts that it does not have.

    Args:
        result: a document as ``bin/shop lab run`` writes it.
    """
    machine, store = result["machine"], result.get("store") or {}
    memory = machine.get("memory_gb")
    parts = [
        machine.get("processor") or machine.get("architecture"),
        f"{memory:g} GB" if memory else "",
        machine["system"].split()[0],
        f"Python {machine['python']}",
        f"{store['products']:,} products" if "products" in store else "",
    ]
    return f"{machine['cpus']} cores ({', '.join(part for part in parts if part)})"
