#!/usr/bin/env pwsh
# After each deployment of the code: subscribes the blob trigger to the events of the prompts container.
#
# Event Grid greets the endpoint when a subscription is made, and the key in the endpoint's address (the system key
# blobs_extension) exists only once the host has started with the function: so this waits for the key, and then deploys
# infra/events.bicep, which reads it by itself. Running it again changes nothing.
#
# azd runs it and sets what it needs: AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP, AZURE_FUNCTION_APP_NAME,
# AZURE_FUNCTION_APP_URL, AZURE_STORAGE_ACCOUNT_NAME, AZURE_EVENT_TOPIC_NAME, PROMPTS_CONTAINER, DEAD_LETTERS_CONTAINER.
# By hand: azd hooks run postdeploy.
Set-StrictMode -Version Latest
# Windows PowerShell 5.1 will do as well: azd takes it where PowerShell 7 is missing.
# Not Stop: az writes warnings to its error stream; its exit code is what counts.
$ErrorActionPreference = 'Continue'

$waitSeconds = if ($env:POST_DEPLOY_WAIT_SECONDS) { [int]$env:POST_DEPLOY_WAIT_SECONDS } else { 900 }
$pauseSeconds = if ($env:POST_DEPLOY_PAUSE_SECONDS) { [int]$env:POST_DEPLOY_PAUSE_SECONDS } else { 10 }
$template = "$PSScriptRoot/../infra/events.bicep"

# What az last wrote to its error stream, warnings among it, by kind of call: never part of an answer, and shown at the end.
$said = @{}

# Keeps what az wrote to its error stream, and returns what it answered.
function Get-Answer([string]$kind, [object[]]$lines) {
    $isError = { $_ -is [System.Management.Automation.ErrorRecord] }
    $said[$kind] = @($lines | Where-Object $isError | ForEach-Object { $_.ToString() })
    return ($lines | Where-Object { $_ -isnot [System.Management.Automation.ErrorRecord] } | Out-String).Trim()
}

function Show-Said {
    $lines = @($said.Values | ForEach-Object { $_ } | Where-Object { $_ })
    if ($lines.Count -gt 0) {
        [Console]::Error.WriteLine("`nThe Azure CLI also said:")
        foreach ($line in $lines) { [Console]::Error.WriteLine($line) }
    }
}

function Stop-WithMessage([string]$message) {
    [Console]::Error.WriteLine("`n$message")
    Show-Said
    exit 1
}

$needed = 'AZURE_SUBSCRIPTION_ID', 'AZURE_RESOURCE_GROUP', 'AZURE_FUNCTION_APP_NAME', 'AZURE_FUNCTION_APP_URL',
    'AZURE_STORAGE_ACCOUNT_NAME', 'AZURE_EVENT_TOPIC_NAME', 'PROMPTS_CONTAINER', 'DEAD_LETTERS_CONTAINER'
foreach ($name in $needed) {
    if (-not [Environment]::GetEnvironmentVariable($name)) {
        Stop-WithMessage "$name is not set. Run this through azd, after 'azd provision': azd hooks run postdeploy"
    }
}

if (-not (Get-Command az -ErrorAction SilentlyContinue)) {
    Stop-WithMessage 'The Azure CLI (az) is missing: install it (https://aka.ms/azure-cli), then: azd hooks run postdeploy'
}
az account show --subscription $env:AZURE_SUBSCRIPTION_ID --output none 2>&1 | Out-Null
if ($LASTEXITCODE -ne 0) {
    Stop-WithMessage "The Azure CLI is not logged in to subscription $($env:AZURE_SUBSCRIPTION_ID): az login, then: azd hooks run postdeploy"
}

# Returns true or false as text, never the key itself.
function Get-HasKey {
    $lines = az functionapp keys list --subscription $env:AZURE_SUBSCRIPTION_ID `
        --resource-group $env:AZURE_RESOURCE_GROUP --name $env:AZURE_FUNCTION_APP_NAME `
        --query 'systemKeys.blobs_extension != null' --output tsv --only-show-errors 2>&1
    return Get-Answer 'keys' $lines
}

# A host that scaled to zero answers no questions about keys: any request starts it.
function Start-App {
    try {
        Invoke-WebRequest -Uri "$($env:AZURE_FUNCTION_APP_URL)/api/openapi.json" -TimeoutSec 30 -UseBasicParsing | Out-Null
    }
    catch {
        Write-Verbose "The app does not answer yet: $($_.Exception.Message)"
    }
}

function New-Subscription {
    $lines = az deployment group create --subscription $env:AZURE_SUBSCRIPTION_ID `
        --resource-group $env:AZURE_RESOURCE_GROUP --name structuredbatch-events --template-file $template --output none `
        --parameters "topicName=$($env:AZURE_EVENT_TOPIC_NAME)" "functionAppName=$($env:AZURE_FUNCTION_APP_NAME)" `
        "storageName=$($env:AZURE_STORAGE_ACCOUNT_NAME)" "promptsContainerName=$($env:PROMPTS_CONTAINER)" `
        "deadLetterContainerName=$($env:DEAD_LETTERS_CONTAINER)" 2>&1
    $succeeded = $LASTEXITCODE -eq 0
    Get-Answer 'deployment' $lines | Out-Null
    return $succeeded
}

$deadline = (Get-Date).AddSeconds($waitSeconds)

Write-Host "Waiting for the key blobs_extension of $($env:AZURE_FUNCTION_APP_NAME) ..."
while (($answer = Get-HasKey) -ne 'true') {
    if ((Get-Date) -ge $deadline) {
        Stop-WithMessage ("The function app $($env:AZURE_FUNCTION_APP_NAME) has no key blobs_extension after $waitSeconds s, so its host " +
            "did not start with the function submit_prompts. The last answer was: $(if ($answer) { $answer } else { 'none' })`n" +
            'Look for the reason in the portal (the function app, Diagnose and solve problems, or Application Insights), then: azd hooks run postdeploy')
    }
    Start-App
    Start-Sleep -Seconds $pauseSeconds
}

Write-Host "Subscribing to events of the container $($env:PROMPTS_CONTAINER) ..."
while (-not (New-Subscription)) {
    if ((Get-Date) -ge $deadline) {
        Stop-WithMessage ("The event subscription could not be made within $waitSeconds s.`n" +
            'Until it is there, the poll finds dropped files by itself, some minutes late. Try again with: azd hooks run postdeploy')
    }
    Write-Host 'Not yet; trying again ...'
    Start-App
    Start-Sleep -Seconds $pauseSeconds
}

Write-Host "Done: a file dropped into $($env:PROMPTS_CONTAINER) of $($env:AZURE_STORAGE_ACCOUNT_NAME) becomes a job."
Show-Said
