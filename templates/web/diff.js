"use strict";
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !["j", "k"].includes(event.key)) return;
  const changes = [...document.querySelectorAll(".change")];
  const at = changes.indexOf(document.activeElement);
  const next = changes[Math.min(Math.max(at + (event.key === "j" ? 1 : -1), 0), changes.length - 1)];
  if (next) { next.focus({preventScroll: true}); next.scrollIntoView({block: "start"}); }
});
const news = document.querySelector(".node.changed, .node.added, .node.removed");
if (news) {
  const frame = news.closest(".drawing"), box = news.getBoundingClientRect(), around = frame.getBoundingClientRect();
  frame.scrollLeft = box.left - around.left - 40;
  frame.scrollTop = box.top - around.top - 40;
}
