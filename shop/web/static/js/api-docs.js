// Shows the API's description with Swagger UI, from our own files alone.
const place = document.getElementById("api");

// Swagger UI's dark colours hang on a class; ours follow the system, so the class does, too.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

window.SwaggerUIBundle({
  url: place.dataset.description,
  domNode: place,
  deepLinking: true,
  validatorUrl: null, // by default it would ask a server of its maker
});
