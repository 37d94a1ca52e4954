// The alerts of docs/operations.md: the app runs unattended, so it has to say when it cannot.
param token string
param location string
param tags object
param email string
param insightsName string
param topicName string

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: 'ag-${token}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'structbatch'
    enabled: true
    emailReceivers: [
      {
        name: 'operator'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

// The timer runs every few minutes at least: silence means that the app does not run. Looked for in two tables, because
// hosts older than 4.1044 (October 2025) write no request for the run of a timer with OpenTelemetry (host.json).
resource silence 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'structuredbatch-silent-${token}'
  location: location
  tags: tags
  properties: {
    displayName: 'StructuredBatch: the poll does not run'
    description: 'poll_batches did not run for an hour: see docs/operations.md, "The poll does not run".'
    severity: 1
    enabled: true
    autoMitigate: true
    // The tables appear with the first telemetry only.
    skipQueryValidation: true
    scopes: [
      insights.id
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT1H'
    criteria: {
      allOf: [
        {
          query: 'union requests, traces | where name contains "poll_batches" or message contains "Functions.poll_batches"'
          timeAggregation: 'Count'
          operator: 'LessThan'
          threshold: 1
        }
      ]
    }
    actions: {
      actionGroups: empty(email) ? [] : [
        people.id
      ]
    }
  }
}

// The app writes an error where a person has to act: a job gave up, a message failed for good, answers were given up.
resource errors 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'structuredbatch-errors-${token}'
  location: location
  tags: tags
  properties: {
    displayName: 'StructuredBatch: an error was logged'
    description: 'The app logged an error, or a function failed: see docs/operations.md, "What the app logs".'
    severity: 2
    enabled: true
    autoMitigate: true
    // The tables appear with the first telemetry only.
    skipQueryValidation: true
    scopes: [
      insights.id
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    criteria: {
      allOf: [
        {
          query: 'union traces, exceptions | where severityLevel >= 3'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: {
      actionGroups: empty(email) ? [] : [
        people.id
      ]
    }
  }
}

// Quota comes back by itself; a missing right, a wrong setting or a held job needs a person, before the job gives up.
resource waiting 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'structuredbatch-waiting-${token}'
  location: location
  tags: tags
  properties: {
    displayName: 'StructuredBatch: a job waits or is held'
    description: 'A job began to wait, or is held: its status.json says why; see docs/operations.md, "Why a job waits".'
    severity: 3
    enabled: true
    autoMitigate: true
    skipQueryValidation: true
    scopes: [
      insights.id
    ]
    evaluationFrequency: 'PT1H'
    windowSize: 'PT1H'
    criteria: {
      allOf: [
        {
          query: 'traces | where message contains "job is waiting" or message contains "job is held"'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: {
      actionGroups: empty(email) ? [] : [
        people.id
      ]
    }
  }
}

// The files of such events are found by the poll all the same; but something is wrong with the subscription.
resource deadLetters 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'structuredbatch-dead-letters-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: 'An event of a prompt file could not be delivered: see docs/operations.md, "Dead letters".'
    severity: 2
    enabled: true
    autoMitigate: true
    scopes: [
      topic.id
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT1H'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'dead letters'
          metricName: 'DeadLetteredCount'
          operator: 'GreaterThan'
          threshold: 0
          timeAggregation: 'Total'
        }
      ]
    }
    actions: empty(email) ? [] : [
      {
        actionGroupId: people.id
      }
    ]
  }
}
