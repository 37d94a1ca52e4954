// The event subscription: a created blob of the prompts container → the blob trigger. It is deployed by
// scripts/post-deploy, after the code: Event Grid greets the endpoint when the subscription is made, and the key in the
// endpoint's address exists only once the host has started with the function.
param topicName string
param functionAppName string
param storageName string
param promptsContainerName string
param deadLetterContainerName string

resource app 'Microsoft.Web/sites@2024-04-01' existing = {
  name: functionAppName
}

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageName
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

// The key is read by Azure Resource Manager: it passes through no shell, no log and no output.
var key = listKeys('${app.id}/host/default', '2024-04-01').systemKeys.blobs_extension

resource promptFiles 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'prompt-files'
  properties: {
    eventDeliverySchema: 'EventGridSchema'
    destination: {
      endpointType: 'WebHook'
      properties: {
        endpointUrl: 'https://${app.properties.defaultHostName}/runtime/webhooks/blobs?functionName=Host.Functions.submit_prompts&code=${key}'
        maxEventsPerBatch: 1
      }
    }
    filter: {
      includedEventTypes: [
        'Microsoft.Storage.BlobCreated'
      ]
      // With the slash at its end: prompts2 is another container.
      subjectBeginsWith: '/blobServices/default/containers/${promptsContainerName}/blobs/'
      // Final writes only: a writer in several steps would else be several events.
      advancedFilters: [
        {
          operatorType: 'StringIn'
          key: 'data.api'
          values: [
            'PutBlob'
            'PutBlockList'
            'CopyBlob'
            'FlushWithClose'
          ]
        }
      ]
    }
    retryPolicy: {
      maxDeliveryAttempts: 30
      eventTimeToLiveInMinutes: 1440
    }
    deadLetterWithResourceIdentity: {
      identity: {
        type: 'SystemAssigned'
      }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: storage.id
          blobContainerName: deadLetterContainerName
        }
      }
    }
  }
}
