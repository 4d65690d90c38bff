# What a reader needs, each target on its own from a fresh clone: the first one makes .venv, the next ones use it.
# The plain commands for Windows and Colab stand in README.md.

.DEFAULT_GOAL := help
.ONESHELL:  # a recipe is one sh script; make takes the indentation from its lines, and a leading - or @
.SHELLFLAGS := -eu -c
.PHONY: help setup extras run test quick lab workbench notebooks bench soak colab bundle badges clean find-python stale

ifeq ($(filter oneshell,$(.FEATURES)),)
$(error This needs GNU make 4 (on macOS: brew install make, then gmake instead of make))
endif

PYTHONS := 3.13 3.12 3.11
PY := .venv/bin/python
READY := .venv/.ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

help:  ## list these targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1|\2/p' Makefile | awk -F'|' '{ printf "%-16s%s\n", $$1, $$2 }'

setup: $(READY)  ## make .venv with the newest of Python 3.11 to 3.13 on PATH (or PYTHON=/path/to/python)
	@echo ".venv is ready: $$($(PY) --version)"

extras: $(READY)  ## add what some tests need and most readers do not: Ray, for many machines
	@$(PY) -m pip install -q -e '.[test,scale]'

run: $(READY)  ## style three product photos and write out/index.html
	@.venv/bin/stylelab demo --out out

lab: $(READY)  ## open the course in JupyterLab
	@# In a container one is root, which JupyterLab takes only when told; it listens on this machine alone.
	if [ "$$(id -u)" = 0 ]; then root=--allow-root; else root=; fi
	exec $(PY) -m jupyterlab $$root notebooks/00_start_here.ipynb

workbench: $(READY)  ## open the workbench as a page, at an address on this machine
	@exec $(PY) -m stylelab.workbench

notebooks: $(READY)  ## execute the chapters and store their outputs (one only: CHAPTER=03)
	@exec $(PY) -m tests.notebooks.execute $(CHAPTER)

bench: $(READY)  ## measure speed and memory on this machine
	@$(PY) -m pip install -q -e '.[bench]'
	$(PY) -m tests.benchmarks.bench
	$(PY) -m tests.benchmarks.bench_networks
	$(PY) -m tests.benchmarks.bench_gans
	$(PY) -m tests.benchmarks.bench_masks photos
	$(PY) -m tests.benchmarks.bench_product
	$(PY) -m tests.benchmarks.bench_catalog

soak: $(READY)  ## kill a catalog's run 200 times (20 in make test), and each chapter that trains (one there)
	@STYLELAB_KILLS=200 exec $(PY) -m pytest -q tests/test_catalog_kill.py tests/test_colab.py -k "many or goes_on"

# ---- Colab ---------------------------------------------------------------------------------------

colab:  ## try the versions that Colab preinstalls (RUNTIME=2026.07 or all, CHAPTERS="00 03" or none)
	@$(interpreters)
	python=$$(find_python)
	exec "$$python" -m tests.colab $(RUNTIME) $(if $(CHAPTERS),--chapters $(CHAPTERS)) $(if $(KEEP),--keep)

bundle:  ## write out/stylelab.zip, the copy of the project for Colab or Drive
	@$(interpreters)
	python=$$(find_python)
	exec "$$python" -m tests.colab --bundle out/stylelab.zip

badges: $(READY)  ## write the repository's address into the notebooks (REPO=owner/name)
	@if ! echo '$(REPO)' | grep -Eqx '[A-Za-z0-9-]+/[A-Za-z0-9._-]+'; then
	    echo "Name the repository on GitHub, as in: make badges REPO=owner/name" >&2
	    exit 1
	fi
	sed 's|^repository = ".*"|repository = "$(REPO)"|' pyproject.toml >pyproject.toml.part
	mv pyproject.toml.part pyproject.toml
	$(PY) -m tests.notebooks.execute --set-up

clean:  ## remove .venv, if make made it, and caches; your pictures in out/ stay
	@[ ! -e .venv/.made-by-make ] || rm -rf .venv
	rm -rf .pytest_cache .ruff_cache .mypy_cache .coverage .colab stylelab.egg-info
	find stylelab tests -name __pycache__ -prune -exec rm -rf {} +

# ---- tests ---------------------------------------------------------------------------------------
# A test runs in exactly one tier, the last of this list that it is marked with (tests/README.md).

TIERS := unit weights notebooks browser slow
unit := not (weights or notebooks or browser or slow)
weights := weights and not (notebooks or browser or slow)
notebooks := notebooks and not (browser or slow)
browser := browser and not slow
slow := slow

quick: $(READY)  ## run the unit tests only
	@exec $(PY) -m pytest -q -m "$(unit)"

test: $(READY)  ## run every test and print the seconds of each tier
	@reports=$$(mktemp -d)
	trap 'rm -rf "$$reports"' EXIT
	began=$$(date +%s) seconds= wrong= passed=0 failed=0 skipped=0
	count() {
	    sed -n "s/.*<testsuite [^>]*$$1=\"\([0-9]*\)\".*/\1/p" "$$reports/$$tier.xml" 2>/dev/null | grep . || echo 0
	}
	run_tier() {
	    tier=$$1 start=$$(date +%s) code=0
	    printf '\n== %s ==\n' "$$tier"
	    $(PY) -m pytest -q -m "$$2" --junitxml "$$reports/$$tier.xml" -o junit_logging=no || code=$$?
	    bad=$$(($$(count failures) + $$(count errors))) skips=$$(count skipped)
	    failed=$$((failed + bad)) skipped=$$((skipped + skips))
	    passed=$$((passed + $$(count tests) - bad - skips))
	    seconds="$$seconds$$tier $$(($$(date +%s) - start)), "
	    # pytest's 5: no test was selected. 2: Ctrl-C, but also an error on collecting, which counts as bad.
	    case "$$tier $$code" in
	        *" 0") ;;
	        "unit 5") wrong="$$wrong unit (no test found)" ;;
	        *" 5") seconds="$${seconds%, } (no tests), " ;;
	        *" 2") wrong="$$wrong $$tier"; [ "$$bad" != 0 ] || exit 130 ;;
	        *) wrong="$$wrong $$tier" ;;
	    esac
	}
	$(foreach tier,$(TIERS),run_tier $(tier) "$($(tier))";)
	printf '\nseconds: %stogether %s\n' "$$seconds" $$(($$(date +%s) - began))
	[ -z "$$wrong" ] || echo "wrong in:$$wrong"
	echo "$$passed passed, $$failed failed, $$skipped skipped"
	[ -z "$$wrong" ]

# ---- set-up --------------------------------------------------------------------------------------
# .venv/.made-by-make is written first and .venv/.ready last, so a killed set-up is known by the one without
# the other and starts anew. A .venv that the reader made is used as it is and never removed.
# .ready holds the clone's folder: an editable install points to it, so a moved or copied clone starts anew too.

usable = [ -x $(PY) ] && [ "$$(cat $(READY) 2>/dev/null)" = "$$(pwd -P)" ]
ifneq ($(PYTHON)$(shell $(usable) || echo stale),)
$(READY): stale
endif
stale:

$(READY): pyproject.toml requirements.txt
	@$(interpreters)
	asked=
	[ -z "$${PYTHON:-}" ] || asked=$$(find_python)
	has_asked() { [ -z "$$asked" ] || [ "$$(origin $(PY))" = "$$(origin "$$asked")" ]; }
	if [ -e .venv ] && [ ! -e .venv/.made-by-make ]; then
	    if ! probe $(PY) >/dev/null || ! has_asked; then
	        echo "The .venv here is not make's and not the Python wanted ($$answer): move it away first." >&2
	        exit 1
	    fi
	elif ! { $(usable) && has_asked; }; then
	    python=$${asked:-$$(find_python)}
	    rm -f $(READY)
	    mkdir -p .venv
	    touch .venv/.made-by-make
	    find .venv -mindepth 1 -maxdepth 1 ! -name .made-by-make -exec rm -rf {} +
	    "$$python" -m venv .venv
	fi
	if $(usable) && [ $(READY) -nt pyproject.toml ] && [ $(READY) -nt requirements.txt ]; then exit 0; fi
	rm -f $(READY)
	echo "Setting up .venv with $$($(PY) --version): TensorFlow, JupyterLab and more, 2.7 GB, a few minutes ..."
	if ! $(PY) -m pip install -q -e '.[test]' >.venv/setup.log 2>&1; then
	    cat .venv/setup.log >&2
	    echo "Set-up failed, see above; run the same command again when that is mended." >&2
	    exit 1
	fi
	$(PY) -c 'import stylelab.backend'  # a set-up that says ready is ready: TensorFlow loads on this processor
	pwd -P >$(READY)

find-python:  # prints the interpreter that setup would take
	@$(interpreters)
	find_python

# A name on PATH proves nothing: a pyenv shim may answer "command not found", Debian's Python may lack venv. So each
# candidate is run. Inside a virtual environment the answer is the Python below it.
define interpreters
probe() {
    answer=$$("$$1" -c '
import sys
sys.tracebacklimit = 0
version = "%d.%d" % sys.version_info[:2]
version in "$(PYTHONS)".split() or sys.exit("Python " + version)
import ctypes, ensurepip, ssl, venv
inside = sys.prefix != sys.base_prefix
print(sys.base_prefix + "/bin/python" + version if inside else sys.executable)
' 2>&1 </dev/null) && [ -x "$$answer" ] && echo "$$answer"
}
origin() { "$$1" -c 'import sys; print(sys.version, sys.base_prefix)' 2>/dev/null; }
candidates() {
    if [ -n "$${PYTHON:-}" ]; then command -v "$$PYTHON" || echo "$$PYTHON"; return; fi
    for name in $(PYTHONS:%=python%) python3 python; do
        echo "$$PATH" | tr ':' '\n' | while IFS= read -r folder; do
            [ ! -x "$$folder/$$name" ] || echo "$$folder/$$name"
        done
    done
    for version in $(PYTHONS); do
        uv python find --system "$$version" 2>/dev/null || :
        for full in $$(pyenv versions --bare 2>/dev/null | grep "^$$version\.[0-9]*$$" || :); do
            echo "$$(pyenv prefix "$$full" 2>/dev/null)/bin/python"
        done
    done
}
find_python() {
    candidates | { rejected=
        while IFS= read -r candidate; do
            if probe "$$candidate"; then exit 0; fi
            rejected="$$rejected$${rejected:+; }$$candidate: $$(echo "$$answer" | head -n 1)"
        done
        echo "No Python $(lastword $(PYTHONS)) to $(firstword $(PYTHONS)) that works ($${rejected:-none found}):" \
            "install one (Debian, Ubuntu: apt install python3 python3-venv)" \
            "or name it, as in: make setup PYTHON=/path/to/python" >&2
        exit 1
    }
}
endef
