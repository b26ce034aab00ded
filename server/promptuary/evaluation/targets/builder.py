"""The applications of a run, built for one execution, and the check that they may be asked here."""

from dataclasses import dataclass

from promptuary.core.database import Database
from promptuary.core.settings import Settings
from promptuary.evaluation.applications.spec import ColumnSpec, TargetSpec
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.plan import DatasetRef, Plan
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.targets.admission import check_target
from promptuary.evaluation.targets.application import Application
from promptuary.evaluation.targets.application_target import ApplicationTarget, PreparedApplication, prepare_prompt
from promptuary.evaluation.targets.command_application import CommandApplication
from promptuary.evaluation.targets.http_target import HttpApplication
from promptuary.evaluation.targets.permissions import TargetPermissions
from promptuary.evaluation.targets.python.python_application import PythonApplication
from promptuary.evaluation.targets.recorded_outputs import OutputColumn, RecordedOutputs


@dataclass(frozen=True)
class TargetBuilder:
    """Builds the applications of runs.

    Attributes:
        database: contains stored outputs.
        permissions: of this process.
        settings: of this process.
        engine: runs JavaScript; None where it is off.
        ends_run: whether an application that is set up wrongly ends the run; not in one of several processes.
    """

    database: Database
    permissions: TargetPermissions
    settings: Settings
    engine: JavaScriptEngine | None = None
    ends_run: bool = True

    def build(self, plan: Plan, suite: Suite) -> ApplicationTarget:
        """Build the applications of a run.

        Raises:
            InvalidRequest: for an application that may not be asked here.
            Invalid: for a variable of the environment that is not set.
        """
        applications: dict[str, PreparedApplication] = {}
        for target in suite.targets:
            check_target(target, self.permissions)
            prompt = prepare_prompt(target, jinja2=self.settings.jinja2)
            applications[target.variant_name] = PreparedApplication(self._application(target, plan), prompt, self.ends_run)
        return ApplicationTarget(applications)

    def build_recorded(self, plan: Plan) -> ApplicationTarget:
        """Build what returns the answers of production of a run; each case without one has an error of its own."""
        recorded = {
            name: PreparedApplication(RecordedOutputs(self._outputs(dataset)), ends_run=False)
            for name, dataset in plan.outputs.items()
        }
        return ApplicationTarget(recorded)

    def _application(self, target: TargetSpec, plan: Plan) -> Application:
        if target.http is not None:
            return HttpApplication.build(target, self.permissions, plan.concurrency, self.engine)
        if target.python is not None:
            return PythonApplication.build(target, self.permissions, plan.concurrency)
        if target.exec is not None:
            return CommandApplication(tuple(target.exec), next(iter(self.permissions.code_folders), None))
        if isinstance(target.outputs, ColumnSpec):
            return OutputColumn(target.outputs.column)
        return RecordedOutputs(self._outputs(plan.outputs[target.variant_name]))

    def _outputs(self, dataset: DatasetRef) -> dict[str, Case]:
        with self.database.read() as session:
            return {case.id: case for case in dataset_store.list_cases(session, dataset.id)}
