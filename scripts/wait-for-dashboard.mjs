// Waits until the dashboard answers: node scripts/wait-for-dashboard.mjs URL SECONDS
const [url, seconds] = process.argv.slice(2);
const deadline = Date.now() + Number(seconds) * 1000;
while (Date.now() < deadline) {
  const answer = await fetch(url).catch(() => undefined);
  if (answer?.ok) {
    console.log(`${url} answers: ${(await answer.text()).match(/<title>.*<\/title>/)?.[0]}`);
    process.exit(0);
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
}
console.error(`${url} did not answer within ${seconds} s`);
process.exit(1);
