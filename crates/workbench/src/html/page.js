const form = document.getElementById("tools");
const main = document.querySelector("main");
const cards = [...main.children];
const show = () => {
  const sort = form.sort.value;
  const key = (card) => Number(card.dataset[sort.replace("-", "")]);
  const sign = sort.startsWith("-") ? -1 : 1;
  cards.sort((a, b) => sign * (key(a) - key(b)));
  const low = form.low.value === "" ? -Infinity : Number(form.low.value);
  const high = form.high.value === "" ? Infinity : Number(form.high.value);
  const text = form.text.value.toLowerCase();
  let shown = 0;
  for (const card of cards) {
    const score = Number(card.dataset.score);
    card.hidden = !(score >= low && score <= high && card.textContent.toLowerCase().includes(text));
    shown += card.hidden ? 0 : 1;
  }
  main.append(...cards);
  form.querySelector("output").textContent = `${shown} of ${cards.length}`;
};
form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
show();
