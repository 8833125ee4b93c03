"use strict";

const dialog = document.querySelector("dialog");
const matches = [...document.querySelectorAll(".match")];
const steps = [...dialog.querySelectorAll("[data-step]")];
let shown = 0;

for (const image of document.querySelectorAll("header .asked img")) {
  dialog.querySelector(".asked").append(image.cloneNode());
}

function put(selector, text) {
  const place = dialog.querySelector(selector);
  if (place) place.textContent = text;
}

function show(number) {
  shown = Math.min(Math.max(number, 0), matches.length - 1);
  const { rank, name, distance, verdict } = matches[shown].dataset;
  const large = dialog.querySelector(".large");
  large.src = matches[shown].querySelector("img").src;
  large.alt = `Rank ${rank}: ${name}`;
  put("h2", name);
  put(".rank", rank);
  put(".distance", distance);
  put(".verdict-of", verdict);
  for (const button of steps) {
    const there = matches[shown + Number(button.dataset.step)];
    // A disabled button would lose the focus, and the arrow keys with it.
    button.setAttribute("aria-disabled", String(!there));
  }
}

matches.forEach((match, number) => {
  match.addEventListener("click", () => {
    show(number);
    dialog.showModal();
  });
});

for (const button of steps) {
  button.addEventListener("click", () => show(shown + Number(button.dataset.step)));
}

dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => matches[shown].focus());
dialog.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step) show(shown + step);
});
