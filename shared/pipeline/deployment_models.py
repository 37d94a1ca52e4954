"""Which models are behind deployments: tokens, images and prices depend on them."""

from collections.abc import Mapping

from shared.domain.ledger import Ledger, OutputTokens, history_key
from shared.settings import Settings


def model_behind(settings: Settings, deployment: str, outputs: OutputTokens | None) -> str:
    """Return a deployment's model: from the setting, from its earlier answers, or from the deployment's own name."""
    # Responses answers name the deployment itself.
    named = outputs.model if outputs and outputs.model != deployment else ""
    told = settings.deployment_models.get(deployment) or named
    return told or deployment.removesuffix("-batch")


class DeploymentModels:
    """Finds the models behind a job's deployments; a deployment's earlier answers are looked up once at most."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._earlier: dict[str, OutputTokens | None] = {}

    def behind(self, deployment: str) -> str:
        """Return the model behind a deployment."""
        if deployment not in self._earlier and not self._settings.deployment_models.get(deployment):
            key = history_key(deployment)
            self._earlier[deployment] = self._ledger.output_tokens([key]).get(key)
        return model_behind(self._settings, deployment, self._earlier.get(deployment))

    def learn(self, earlier: Mapping[str, OutputTokens | None]) -> None:
        """Add what is known of some deployments' earlier answers; what was looked up before stays."""
        self._earlier = {**earlier, **self._earlier}
