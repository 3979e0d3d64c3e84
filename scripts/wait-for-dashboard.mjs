// Waits until the dashboard of a process answers: node scripts/wait-for-dashboard.mjs URL PID SECONDS
const [url, pid, seconds] = process.argv.slice(2);
const deadline = Date.now() + Number(seconds) * 1000;

const isAlive = () => {
  try {
    return process.kill(Number(pid), 0);
  } catch {
    return false;
  }
};

while (Date.now() < deadline && isAlive()) {
  const answer = await fetch(url).catch(() => undefined);
  if (answer?.ok) {
    console.log(`${url} answers: ${(await answer.text()).match(/<title>.*<\/title>/)?.[0]}`);
    process.exit(0);
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
}
console.error(`${url} did not answer${isAlive() ? ` within ${seconds} s` : ': the process ended'}`);
process.exit(1);
