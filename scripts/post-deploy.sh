#!/bin/sh
# After each deployment of the code: subscribes the blob trigger to the events of the prompts container.
#
# Event Grid greets the endpoint when a subscription is made, and the key in the endpoint's address (the system key
# blobs_extension) exists only once the host has started with the function: so this waits for the key, and then deploys
# infra/events.bicep, which reads it by itself. Running it again changes nothing.
#
# azd runs it and sets what it needs: AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP, AZURE_FUNCTION_APP_NAME,
# AZURE_FUNCTION_APP_URL, AZURE_STORAGE_ACCOUNT_NAME, AZURE_EVENT_TOPIC_NAME, PROMPTS_CONTAINER, DEAD_LETTERS_CONTAINER.
# By hand: azd hooks run postdeploy.
set -eu

wait_seconds=${POST_DEPLOY_WAIT_SECONDS:-900}
pause_seconds=${POST_DEPLOY_PAUSE_SECONDS:-10}
template=$(dirname "$0")/../infra/events.bicep

# What az last wrote to its error stream, warnings among it: never part of an answer, and shown at the end.
said=$(mktemp -d)
show_said() {
    if [ -n "$(cat "$said"/* 2>/dev/null)" ]; then
        printf '\nThe Azure CLI also said:\n' >&2
        cat "$said"/* >&2
    fi
    rm -rf "$said"
}
trap show_said EXIT

fail() {
    printf '\n%s\n' "$*" >&2
    exit 1
}

for name in AZURE_SUBSCRIPTION_ID AZURE_RESOURCE_GROUP AZURE_FUNCTION_APP_NAME AZURE_FUNCTION_APP_URL \
    AZURE_STORAGE_ACCOUNT_NAME AZURE_EVENT_TOPIC_NAME PROMPTS_CONTAINER DEAD_LETTERS_CONTAINER; do
    eval "value=\${$name:-}"
    # shellcheck disable=SC2154  # set by eval
    [ -n "$value" ] || fail "$name is not set. Run this through azd, after 'azd provision': azd hooks run postdeploy"
done

command -v az >/dev/null 2>&1 ||
    fail "The Azure CLI (az) is missing: install it (https://aka.ms/azure-cli), then: azd hooks run postdeploy"
az account show --subscription "$AZURE_SUBSCRIPTION_ID" --output none 2>/dev/null ||
    fail "The Azure CLI is not logged in to subscription $AZURE_SUBSCRIPTION_ID: az login, then: azd hooks run postdeploy"

# Prints true or false, never the key itself.
has_key() {
    az functionapp keys list --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP" \
        --name "$AZURE_FUNCTION_APP_NAME" --query 'systemKeys.blobs_extension != null' --output tsv --only-show-errors \
        2>"$said/keys"
}

# A host that scaled to zero answers no questions about keys: any request starts it.
wake() {
    if command -v curl >/dev/null 2>&1; then
        curl --silent --max-time 30 --output /dev/null "$AZURE_FUNCTION_APP_URL/api/openapi.json" || true
    fi
}

subscribe() {
    az deployment group create --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP" \
        --name structuredbatch-events --template-file "$template" --output none --parameters \
        "topicName=$AZURE_EVENT_TOPIC_NAME" "functionAppName=$AZURE_FUNCTION_APP_NAME" \
        "storageName=$AZURE_STORAGE_ACCOUNT_NAME" "promptsContainerName=$PROMPTS_CONTAINER" \
        "deadLetterContainerName=$DEAD_LETTERS_CONTAINER" 2>"$said/deployment" >/dev/null
}

deadline=$(($(date +%s) + wait_seconds))

echo "Waiting for the key blobs_extension of $AZURE_FUNCTION_APP_NAME ..."
until answer=$(has_key) && [ "$answer" = true ]; do
    [ "$(date +%s)" -lt "$deadline" ] || fail "The function app $AZURE_FUNCTION_APP_NAME has no key blobs_extension after $wait_seconds s, so its host \
did not start with the function submit_prompts. The last answer was: ${answer:-none}
Look for the reason in the portal (the function app, Diagnose and solve problems, or Application Insights), then: azd hooks run postdeploy"
    wake
    sleep "$pause_seconds"
done

echo "Subscribing to events of the container $PROMPTS_CONTAINER ..."
until subscribe; do
    [ "$(date +%s)" -lt "$deadline" ] || fail "The event subscription could not be made within $wait_seconds s.
Until it is there, the poll finds dropped files by itself, some minutes late. Try again with: azd hooks run postdeploy"
    echo "Not yet; trying again ..."
    wake
    sleep "$pause_seconds"
done

echo "Done: a file dropped into $PROMPTS_CONTAINER of $AZURE_STORAGE_ACCOUNT_NAME becomes a job."
