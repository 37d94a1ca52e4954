// Everything that StructuredBatch needs in Azure, in one resource group. What each parameter is for stands in
// docs/deployment.md; the step that can only follow the deployment of the code is events.bicep.
targetScope = 'subscription'

@minLength(1)
@maxLength(40)
@description('The azd environment: the resource group is rg-NAME, and all names are made from it.')
param environmentName string

@minLength(1)
@description('The region of everything but, where they differ, the Azure OpenAI accounts.')
param location string

@description('The region of the Azure OpenAI account; empty: the same.')
param openAiLocation string = ''

@description('Further regions, separated by commas: an account with the same deployment in each, for the quota there.')
param openAiFurtherLocations string = ''

@description('The id of the person or pipeline that deploys: it may drop prompt files and read results. Empty: no one may yet.')
param principalId string = ''

@description('An Azure OpenAI account that exists already (with a custom subdomain); empty: one is made.')
param existingOpenAiName string = ''

@description('The resource group of the existing account; empty: the one made here.')
param existingOpenAiResourceGroup string = ''

@description('The subscription of the existing account; empty: this one.')
param existingOpenAiSubscription string = ''

@description('The batch deployment: made in the new account, or existing in the existing one.')
@minLength(1)
param deploymentName string = 'gpt-5.4-mini-batch'

@description('The model behind the batch deployment that is made.')
param modelName string = 'gpt-5.4-mini'

@description('The version of that model; it is not upgraded by itself.')
param modelVersion string = '2026-03-17'

@allowed([
  'GlobalBatch'
  'DataZoneBatch'
])
@description('Where the service may process: anywhere, or within the data zone (US, EU) of the account. The EU zone has few models: see docs/deployment.md.')
param deploymentSku string = 'GlobalBatch'

@minValue(1)
@description('How many tokens may be enqueued at a time, in units of the service; see docs/deployment.md.')
param capacity int = 1000

@description('Let the deployment use spare capacity beyond its own.')
param dynamicQuota bool = true

@allowed([
  'BatchOnly'
  'OpenAIContributor'
])
@description('The role of the app at the accounts: a custom one for files and batches alone, or the built-in one.')
param openAiRole string = 'BatchOnly'

@description('Let the service read prompts from, and write answers to, the work container itself (BATCH_TRANSFER=storage).')
param ownStorage bool = false

@description('Close storage and the new Azure OpenAI accounts to the internet, and reach them by private endpoints.')
param privateNetwork bool = false

@minLength(1)
@description('The e-mail address that gets the alerts; none: they show in the portal only.')
param alertEmail string

@description('A job estimated to cost more US dollars is held until it is released; none: no cap.')
param maxJobCostUsd string = '50'

@description('A job with more input tokens than this is held until it is released; none: no cap.')
param maxJobInputTokens string = '100000000'

@description('The schedule of the polling timer, as six-field NCRONTAB in UTC; empty: every minute.')
param pollSchedule string = ''

@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
@description('How the storage account is copied; ZRS is safer where the region has zones.')
param storageSku string = 'Standard_LRS'

@minValue(14)
@maxValue(3650)
@description('Days after which the files of a job in the work container are deleted; retries need them.')
param workRetentionDays int = 60

@minValue(1)
@maxValue(1000)
@description('How many instances one function may scale out to.')
param maximumInstanceCount int = 40

@allowed([
  2048
  4096
])
@description('The memory of one instance in MB.')
param instanceMemoryMB int = 2048

@description('Further app settings, NAME=VALUE;NAME=VALUE. In a value, write %22 for a double quote, %25 for % and %3B for a semicolon.')
param appSettings string = ''

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var createOpenAi = empty(existingOpenAiName)
var openAiName = createOpenAi ? 'oai-${token}' : existingOpenAiName
var isInOurGroup = createOpenAi || empty(existingOpenAiResourceGroup)
var openAiGroupName = isInOurGroup ? 'rg-${environmentName}' : existingOpenAiResourceGroup
var isInOurSubscription = createOpenAi || empty(existingOpenAiSubscription)
var openAiSubscription = isInOurSubscription ? subscription().subscriptionId : existingOpenAiSubscription
var furtherLocations = filter(map(split(openAiFurtherLocations, ','), place => toLower(trim(place))), place => !empty(place))
// Where rows name the deployment, their batches go to the first of these resources that has room.
var furtherTargets = map(furtherLocations, place => {
  endpoint: 'https://oai-${token}-${place}.openai.azure.com'
  deployment: deploymentName
})
var deployments = empty(furtherLocations) ? {} : {
  DEPLOYMENTS: string({ '${deploymentName}': concat([deploymentName], furtherTargets) })
}
// For estimates before the first answer. Which model stands behind an existing deployment is not known here.
var models = createOpenAi ? { DEPLOYMENT_MODELS: '${deploymentName}=${modelName}' } : {}
var costCap = toLower(maxJobCostUsd) == 'none' ? {} : { MAX_JOB_COST_USD: maxJobCostUsd }
var tokenCap = toLower(maxJobInputTokens) == 'none' ? {} : { MAX_JOB_INPUT_TOKENS: maxJobInputTokens }
var furtherSettings = toObject(
  filter(map(split(appSettings, ';'), pair => trim(pair)), pair => contains(pair, '=')),
  pair => trim(substring(pair, 0, indexOf(pair, '='))),
  pair => uriComponentToString(trim(substring(pair, indexOf(pair, '=') + 1)))
)
var names = {
  prompts: 'prompts'
  results: 'results'
  work: 'batch-work'
  package: 'app-package'
  deadLetters: 'dead-letters'
  table: 'batchjobs'
  submissions: 'batch-submissions'
  completions: 'batch-completions'
}

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identity 'identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-${token}'
    location: location
    tags: tags
  }
}

module openAi 'openai.bicep' = if (createOpenAi) {
  name: 'openai'
  scope: group
  params: {
    name: openAiName
    location: empty(openAiLocation) ? location : openAiLocation
    tags: tags
    isPublic: !privateNetwork
    deploymentName: deploymentName
    deploymentSku: deploymentSku
    capacity: capacity
    dynamicQuota: dynamicQuota
    modelName: modelName
    modelVersion: modelVersion
  }
}

module furtherOpenAi 'openai.bicep' = [for place in furtherLocations: {
  name: 'openai-${place}'
  scope: group
  params: {
    name: 'oai-${token}-${place}'
    location: place
    tags: tags
    isPublic: !privateNetwork
    deploymentName: deploymentName
    deploymentSku: deploymentSku
    capacity: capacity
    dynamicQuota: dynamicQuota
    modelName: modelName
    modelVersion: modelVersion
  }
}]

module furtherAccess 'openai-access.bicep' = [for (place, index) in furtherLocations: {
  name: 'openai-access-${place}'
  scope: group
  params: {
    accountName: furtherOpenAi[index].outputs.name
    principalId: identity.outputs.principalId
    role: openAiRole
    needsIdentity: false
  }
}]

module openAiAccess 'openai-access.bicep' = {
  name: 'openai-access'
  scope: resourceGroup(openAiSubscription, openAiGroupName)
  params: {
    accountName: openAiName
    principalId: identity.outputs.principalId
    role: openAiRole
    needsIdentity: ownStorage
  }
  dependsOn: [
    openAi
  ]
}

module storage 'storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'st${token}'
    location: location
    tags: tags
    isPublic: !privateNetwork
    redundancy: storageSku
    trustedResourceId: ownStorage ? openAiAccess.outputs.accountId : ''
    containerNames: [
      names.prompts
      names.results
      names.work
      names.package
      names.deadLetters
    ]
    queueNames: [
      names.submissions
      names.completions
      // The host looks into these from the start, and warns at each look while they are absent.
      '${names.submissions}-poison'
      '${names.completions}-poison'
    ]
    tableName: names.table
    workContainerName: names.work
    deadLetterContainerName: names.deadLetters
    workRetentionDays: workRetentionDays
  }
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
  }
}

module topic 'topic.bicep' = {
  name: 'topic'
  scope: group
  params: {
    name: 'evgt-${token}'
    location: location
    tags: tags
    storageName: storage.outputs.name
  }
}

module roles 'roles.bicep' = {
  name: 'roles'
  scope: group
  params: {
    storageName: storage.outputs.name
    insightsName: monitoring.outputs.insightsName
    appPrincipalId: identity.outputs.principalId
    topicPrincipalId: topic.outputs.principalId
    openAiPrincipalId: ownStorage ? openAiAccess.outputs.accountPrincipalId : ''
    userPrincipalId: principalId
    promptsContainerName: names.prompts
    resultsContainerName: names.results
    workContainerName: names.work
    deadLetterContainerName: names.deadLetters
  }
}

module network 'network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    storageId: storage.outputs.id
    openAiIds: concat(
      createOpenAi ? [openAiAccess.outputs.accountId] : [],
      map(
        furtherLocations,
        place => resourceId(
          subscription().subscriptionId,
          group.name,
          'Microsoft.CognitiveServices/accounts',
          'oai-${token}-${place}'
        )
      )
    )
  }
  dependsOn: [
    furtherOpenAi
  ]
}

module functions 'functions.bicep' = {
  name: 'functions'
  scope: group
  params: {
    name: 'func-${token}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageName: storage.outputs.name
    insightsConnectionString: monitoring.outputs.connectionString
    subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    openAiEndpoint: openAiAccess.outputs.endpoint
    deploymentName: deploymentName
    names: names
    pollSchedule: empty(pollSchedule) ? '0 * * * * *' : pollSchedule
    ownStorage: ownStorage
    maximumInstanceCount: maximumInstanceCount
    instanceMemoryMB: instanceMemoryMB
    extraSettings: union(
      models,
      deployments,
      costCap,
      tokenCap,
      furtherSettings
    )
  }
  dependsOn: [
    roles
    furtherAccess
  ]
}

module alerts 'alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    email: toLower(alertEmail) == 'none' ? '' : alertEmail
    insightsName: monitoring.outputs.insightsName
    topicName: topic.outputs.name
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output AZURE_FUNCTION_APP_NAME string = functions.outputs.name
output AZURE_FUNCTION_APP_URL string = 'https://${functions.outputs.hostName}'
output AZURE_STORAGE_ACCOUNT_NAME string = storage.outputs.name
output AZURE_EVENT_TOPIC_NAME string = topic.outputs.name
output AZURE_OPENAI_ENDPOINT string = openAiAccess.outputs.endpoint
output PROMPTS_CONTAINER string = names.prompts
output RESULTS_CONTAINER string = names.results
output DEAD_LETTERS_CONTAINER string = names.deadLetters
