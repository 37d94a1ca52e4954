// A batch from upload to results, as users of the openai package for Node write it: node openai_npm.mjs URL INPUT
import fs from "node:fs";
import OpenAI, { AzureOpenAI } from "openai";

const [url, input] = process.argv.slice(2);
const clients = [
  new OpenAI({ baseURL: `${url}/openai/v1`, apiKey: "any" }),
  new AzureOpenAI({ endpoint: url, apiKey: "any", apiVersion: "2025-04-01-preview" }),
];
for (const client of clients) {
  const file = await client.files.create({
    file: fs.createReadStream(input),
    purpose: "batch",
    expires_after: { anchor: "created_at", seconds: 259200 },
  });
  await client.files.waitForProcessing(file.id, { pollInterval: 50 });
  let batch = await client.batches.create({
    input_file_id: file.id,
    endpoint: "/v1/chat/completions",
    completion_window: "24h",
  });
  while (!["completed", "failed", "expired", "cancelled"].includes(batch.status)) {
    await new Promise((done) => setTimeout(done, 50));
    batch = await client.batches.retrieve(batch.id);
  }
  const lines = (await (await client.files.content(batch.output_file_id)).text()).trim().split("\n");
  console.log(batch.status, lines.length);
}
