// Cancel, release and retry, each after a question.

const QUESTIONS = {
  cancel: (job) => ["Cancel this job?", [`Nothing more of ${job.prompt_file} is sent, and its open batches are cancelled. What was answered is collected and paid.`, "This cannot be undone, but rows without an answer can be retried later."], "Cancel job", "danger"],
  release: (job) => ["Release this job?", [estimateWords(job) || job.message || "", `${job.prompt_file} is then sent, whatever caps are set.`], "Release", "primary"],
  retry: (job) => isTrial(job) ? sendRest(job) : ["Retry the failed rows?", [`${plural(job.rows.failed, "row")} of ${job.prompt_file} without a result ${job.rows.failed === 1 ? "is" : "are"} asked again, in a new job, and paid for again. Rows that have an answer are not asked again.`], "Retry", "primary"],
};

function sendRest(job) {
  const { no } = progress(job), count = notSent(job);
  return [`Send the other ${number.format(count)}?`, [
    `${plural(count, "row")} of ${job.prompt_file} ${count === 1 ? "is" : "are"} sent, in a new job${no ? `, and ${plural(no, "failed row")} again` : ""}. The trial's answers are kept and not paid for again.`,
    trialPrice(job, count + no),
  ], `Send ${number.format(count + no)}`, "primary"];
}

function trialPrice(job, count) {
  const { ok } = progress(job);
  return job.cost.usd && ok && !job.cost.unpriced_rows ? `Going by the trial, that costs about ${dollars((job.cost.usd / ok) * count)}.` : "";
}

function ask(job, action) {
  const [title, paragraphs, label, kind] = QUESTIONS[action](job);
  setText($("ask-title"), title);
  $("ask-text").replaceChildren(...paragraphs.filter(Boolean).map((words) => h("p", null, words)));
  setText($("ask-fault"), "");
  setText($("ask-yes"), label);
  $("ask-yes").className = kind;
  $("ask-yes").disabled = false;
  $("ask-yes").onclick = () => steer(job, action);
  $("ask").showModal();
}

async function steer(job, action) {
  $("ask-yes").disabled = true;
  setText($("ask-fault"), "");
  try {
    const { body } = await api(`jobs/${encodeURIComponent(job.job_id)}/${action}`, { method: "POST" });
    $("ask").close();
    announce({ cancel: "The job is being cancelled.", release: "The job was released.", retry: "The rows are sent in a new job." }[action]);
    if (action === "cancel") cancelled.add(job.job_id);
    pause = SOON;
    if (body.job_id === job.job_id) drawJob(body);
    else { go({ job: body.job_id }, true); followAddress(); }
    refresh();
  } catch (error) {
    if (error instanceof Denied) { $("ask").close(); return failed(error); }
    setText($("ask-fault"), messageOf(error));
    $("ask-yes").disabled = false;
  }
}
